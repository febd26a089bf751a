import type { Device, JsonObject } from '@muster/contracts';
import { StateRow } from '@muster/journal';
import { Column, Entity, Index } from 'typeorm';
import type { Applied } from '../presence/sign.js';

/** One device. `last_seen` is in no index, so that a heartbeat touches the row alone. */
@Entity({ name: 'device' })
@Index('device_name', ['project_id', 'name'], { unique: true })
@Index('device_drifted', ['project_id', 'id'], { where: 'drifted' })
@Index('device_presence_due', ['presence_due'], { where: `state = 'ONLINE'` })
export class DeviceEntity extends StateRow<Device['state']> {
  @Column('timestamptz', { default: () => 'now()' })
  updated_at!: Date;

  @Column({ type: 'text', collation: 'C' })
  name!: string;

  @Column('text', { default: '' })
  alias!: string;

  @Column('text')
  type!: string;

  @Column('text', { default: 'UTC' })
  timezone!: string;

  @Column('text', { array: true, default: [] })
  tags!: string[];

  @Column('jsonb', { default: {} })
  attributes!: JsonObject;

  @Column('jsonb', { default: {} })
  desired!: JsonObject;

  @Column('jsonb', { default: {} })
  reported!: JsonObject;

  /** Whether `reported` has all of `desired`, and there is something desired. */
  @Column('boolean', { default: false })
  converged!: boolean;

  /** Whether it was converged with this `desired`, and is not any more. */
  @Column('boolean', { default: false })
  drifted!: boolean;

  /** Device operations whose proof it has reported, whatever it reports since; kept while they are open, and until the next are added. */
  @Column('jsonb', { default: [] })
  shown!: string[];

  @Column('jsonb', { nullable: true })
  agent!: Device['agent'];

  /** What hellos and reports came to so far: one that comes again, or late, changes nothing. */
  @Column('jsonb', { default: {} })
  applied!: Applied;

  @Column('timestamptz', { nullable: true })
  last_seen!: Date | null;

  @Column('timestamptz', { nullable: true })
  presence_due!: Date | null;
}
