import { Column, Entity, Index } from 'typeorm';
import { TargetRow } from '../rollout/target.row.js';

/** A device's part in the rollout of an operation, with the id of its device operation. */
@Entity({ name: 'operation_part' })
@Index('operation_part_of_operation', ['project_id', 'operation_id', 'id'])
@Index('operation_part_of_device', ['project_id', 'device_id', 'operation_id', 'target_id'], { unique: true })
@Index('operation_part_turn', { synchronize: false })
@Index('operation_part_turn_in_zone', { synchronize: false })
@Index('operation_part_held', { synchronize: false })
@Index('operation_part_in_flight', { synchronize: false })
@Index('operation_part_unsuccessful', { synchronize: false })
export class OperationPartEntity extends TargetRow {
  @Column('uuid')
  operation_id!: string;
}
