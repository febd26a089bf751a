import type { JobTaskStatus, JsonObject } from '@muster/contracts';
import { StateRow } from '@muster/journal';
import { Column } from 'typeorm';
import type { DeviceEnd } from './tally.js';

/** A device's part in a rollout, as every family keeps it: see TARGET_COLUMNS. */
export abstract class TargetRow extends StateRow<JobTaskStatus> {
  /** What the device was found by: the device, or something on it. */
  @Column('uuid')
  target_id!: string;

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

  @Column('timestamptz', { nullable: true })
  proof_by!: Date | null;

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
