import { Column, Entity, Index } from 'typeorm';
import { TargetRow } from '../rollout/target.row.js';

/** A device's way through a stage. */
@Entity({ name: 'stage_device' })
@Index('stage_device_of_run', ['project_id', 'stage_run_id', 'id'])
@Index('stage_device_of_device', ['project_id', 'device_id', 'stage_run_id', 'target_id'], { unique: true })
@Index('stage_device_turn', { synchronize: false })
@Index('stage_device_turn_in_zone', { synchronize: false })
@Index('stage_device_held', { synchronize: false })
@Index('stage_device_in_flight', { synchronize: false })
@Index('stage_device_unsuccessful', { synchronize: false })
@Index('stage_device_again', { synchronize: false })
export class StageDeviceEntity extends TargetRow {
  @Column('uuid')
  stage_run_id!: string;

  @Column('uuid')
  list_target_id!: string;

  @Column('text')
  device_alias!: string;

  @Column('integer', { nullable: true })
  added_by!: number | null;

  @Column('integer', { default: 0 })
  step!: number;

  @Column('uuid', { nullable: true })
  target_run_id!: string | null;
}
