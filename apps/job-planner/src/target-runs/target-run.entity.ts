import type { TargetRunState } from '@muster/contracts';
import { StateRow } from '@muster/journal';
import { Column, Entity, Index } from 'typeorm';

/** One operation on one device of a stage run. */
@Entity({ name: 'target_run' })
@Index('target_run_order', ['project_id', 'stage_run_id', 'stage_device_id', 'step'])
@Index('target_run_of_device', ['project_id', 'stage_device_id', 'step'], { unique: true })
@Index('target_run_to_come', { synchronize: false })
@Index('target_run_to_come_in_zone', { synchronize: false })
export class TargetRunEntity extends StateRow<TargetRunState> {
  @Column('uuid')
  stage_run_id!: string;

  @Column('uuid')
  stage_device_id!: string;

  @Column('uuid')
  stage_run_operation_id!: string;

  /** From 0, in the order in which the device carries them out. */
  @Column('integer')
  step!: number;

  /** The target of the list, or the device where a group named it. */
  @Column('uuid')
  target_id!: string;

  @Column('uuid')
  device_id!: string;

  /** Its device's own zone, where windows are read on its clock. */
  @Column('text', { nullable: true })
  timezone!: string | null;

  @Column('text')
  device_alias!: string;

  /** The command of the present try. */
  @Column('uuid', { nullable: true })
  command_id!: string | null;

  @Column('text', { default: '' })
  command_status!: string;

  @Column('text', { default: '' })
  code!: string;

  @Column('integer', { default: 0 })
  attempts!: number;

  @Column('integer')
  created_by!: number;

  @Column('integer')
  updated_by!: number;

  @Column('timestamptz', { default: () => 'now()' })
  updated_at!: Date;

  @Column('timestamptz', { nullable: true })
  started_at!: Date | null;

  @Column('timestamptz', { nullable: true })
  ended_at!: Date | null;
}
