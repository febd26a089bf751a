import type { JobTaskStatus, JsonObject } from '@muster/contracts';
import { Column, Entity, Index, PrimaryColumn } from 'typeorm';
import type { DeviceEnd } from '../rollout/tally.js';

/** A device's way through a stage. */
@Entity({ name: 'stage_device' })
@Index('stage_device_of_run', ['project_id', 'stage_run_id', 'id'])
@Index('stage_device_of_device', ['project_id', 'device_id', 'stage_run_id', 'target_id'], { unique: true })
@Index('stage_device_turn', { synchronize: false })
@Index('stage_device_turn_in_zone', { synchronize: false })
@Index('stage_device_held', { synchronize: false })
@Index('stage_device_in_flight', { synchronize: false })
@Index('stage_device_unsuccessful', { synchronize: false })
export class StageDeviceEntity {
  @PrimaryColumn('text', { primaryKeyConstraintName: 'stage_device_pkey' })
  project_id!: string;

  @PrimaryColumn('uuid', { primaryKeyConstraintName: 'stage_device_pkey' })
  id!: string;

  @Column('text')
  state!: JobTaskStatus;

  @Column('text', { nullable: true })
  from_state!: string | null;

  @Column('integer')
  version!: number;

  @Column('text', { default: '' })
  reason!: string;

  @Column('timestamptz', { default: () => 'now()' })
  state_at!: Date;

  @Column('timestamptz', { default: () => 'now()' })
  created_at!: Date;

  @Column('uuid')
  stage_run_id!: string;

  @Column('uuid')
  target_id!: string;

  @Column('uuid')
  list_target_id!: string;

  @Column('text')
  device_alias!: string;

  @Column('integer', { default: 0 })
  step!: number;

  @Column('uuid', { nullable: true })
  target_run_id!: string | null;

  // As in every table of devices' parts in rollouts: see TARGET_COLUMNS.

  @Column('uuid')
  device_id!: string;

  @Column('integer', { default: 0 })
  place!: number;

  @Column('text', { nullable: true })
  timezone!: string | null;

  @Column('text', { default: '' })
  waits_for!: '' | 'retry_at' | 'offline' | 'proof';

  @Column('uuid', { nullable: true })
  command_id!: string | null;

  @Column('integer', { default: 0 })
  attempts!: number;

  @Column('integer', { default: 0 })
  releases!: number;

  @Column('timestamptz', { nullable: true })
  ask_at!: Date | null;

  @Column('integer', { default: 0 })
  asks!: number;

  @Column('timestamptz', { nullable: true })
  contact_by!: Date | null;

  @Column('double precision', { nullable: true })
  took!: number | null;

  @Column('jsonb', { nullable: true })
  before!: JsonObject | null;

  @Column('boolean', { default: false })
  sent!: boolean;

  @Column('text', { nullable: true })
  outcome!: DeviceEnd | null;

  @Column('integer', { default: 0 })
  round!: number;
}
