import type { Rollout, RolloutWait } from '@muster/contracts';
import { Column, Entity, Index, PrimaryColumn } from 'typeorm';
import type { Durations } from './durations.js';
import type { Wish } from './rollout.decide.js';
import type { ZoneWindows } from './rollout.windows.js';
import type { Tally } from './tally.js';
import type { WaveState } from './wave.gate.js';

const count = () => Column('integer', { default: 0 });

/** What is rolled out: a batch job, a stage of a pipeline, or an operation. */
export type RolloutFamilyName = 'job' | 'stage-run' | 'operation';

/**
 * How a change goes through its devices, with exact counts. It has the id of what is rolled out, and is locked by everything that moves one of its
 * devices.
 */
@Entity({ name: 'rollout' })
@Index('rollout_open', { synchronize: false })
@Index('rollout_due', ['due_at'], { where: 'due_at IS NOT NULL' })
@Index('rollout_finished', { synchronize: false })
@Index('rollout_untold', ['tell_at'], { where: 'tell_at IS NOT NULL' })
@Index('rollout_unheard', ['project_id', 'id'], { where: 'unheard' })
export class RolloutEntity {
  @PrimaryColumn('text', { primaryKeyConstraintName: 'rollout_pkey' })
  project_id!: string;

  @PrimaryColumn('uuid', { primaryKeyConstraintName: 'rollout_pkey' })
  id!: string;

  @Column('text')
  family!: RolloutFamilyName;

  /** As it was given. */
  @Column('jsonb')
  spec!: Rollout;

  /** What each device is told, and what all of them are told with it; a device's own arguments are laid over them. */
  @Column('text')
  command!: string;

  @Column('jsonb')
  args!: Record<string, unknown>;

  @Column('text', { nullable: true })
  traceparent!: string | null;

  @Column('text', { default: 'run' })
  wish!: Wish;

  /** Why it is not to go on. */
  @Column('text', { default: '' })
  reason!: string;

  /** It has ended, or stands still until somebody lets it go on. */
  @Column('boolean', { default: false })
  at_rest!: boolean;

  /** Since when that is so. */
  @Column('timestamptz', { nullable: true })
  rested_at!: Date | null;

  /** When the parts of its devices were deleted, long after its end, where nobody else says so; the counts stay as they were. */
  @Column('timestamptz', { nullable: true })
  parts_deleted_at!: Date | null;

  @Column('text', { default: 'resolve' })
  waits_for!: RolloutWait;

  /** When time alone lets it go on; null while something else has to happen. */
  @Column('timestamptz', { nullable: true })
  waits_until!: Date | null;

  /** When devices may begin, by their zone, as of its last look; empty where there is no window. */
  @Column('jsonb', { default: {} })
  zone_windows!: ZoneWindows;

  /** When a device began last, be it to go on or to be tried again. */
  @Column('timestamptz', { nullable: true })
  released_at!: Date | null;

  /** When the sweep looks next; null while it is at rest, unless it is paused and has an end. */
  @Column('timestamptz', { nullable: true })
  due_at!: Date | null;

  @Column('boolean', { default: false })
  planned!: boolean;

  /** Its `end_at` came before all of its first devices had their place: some that it was for may have none. */
  @Column('boolean', { default: false })
  cut!: boolean;

  /** Which pass of planning it is at: each wave with a query has one, the rest has the last. */
  @Column('integer', { default: 0 })
  pass!: number;

  /** How far the pass came: an index into what is listed, or the last that a query gave. */
  @Column('text', { default: '' })
  plan_cursor!: string;

  /** How many devices had their place when the pass began, and the places that earlier passes gave to waves, by their index. */
  @count()
  pass_from!: number;

  @Column('jsonb', { default: {} })
  query_waves!: Readonly<Record<string, { from: number; to: number }>>;

  /** How many devices have their place. */
  @count()
  placed!: number;

  /** When devices that match by now are looked for again. */
  @Column('timestamptz', { nullable: true })
  rescan_at!: Date | null;

  /** The zones of its devices, where each device's own clock counts. */
  @Column('text', { array: true, default: [] })
  zones!: string[];

  @Column('jsonb', { default: [] })
  waves!: WaveState[];

  @count()
  wave!: number;

  /** Up to when its rate is used up. */
  @Column('timestamptz', { nullable: true })
  paid_until!: Date | null;

  /** What had happened when somebody last let it go on. */
  @Column('jsonb', { nullable: true })
  baseline!: Tally | null;

  @Column('boolean', { default: false })
  reopening!: boolean;

  /** Raised by each retry of a user; a device with a lower one has not been reopened by it yet. */
  @count()
  round!: number;

  /** How often a device was tried again by a rule. */
  @count()
  retries!: number;

  @Column('jsonb', { default: {} })
  durations!: Durations;

  @Column('timestamptz', { nullable: true })
  began_at!: Date | null;

  /** When a device was last found offline; each of those that are was asked for by then. */
  @Column('timestamptz', { nullable: true })
  held_at!: Date | null;

  /** Devices that ended of late, each counting less the longer that is ago, as of this time. */
  @Column('double precision', { default: 0 })
  recent!: number;

  @Column('timestamptz', { nullable: true })
  recent_at!: Date | null;

  /** How often its progress was told, and when last; at first when it was made. */
  @count()
  told!: number;

  @Column('timestamptz', { default: () => 'now()' })
  told_at!: Date;

  /** When its progress is to be told that has changed since; null when it has not. */
  @Column('timestamptz', { nullable: true })
  tell_at!: Date | null;

  /** Of a stage run: its run, which tells of all its stages together, has not heard yet of the last notice. */
  @Column('boolean', { default: false })
  unheard!: boolean;

  @count()
  pending!: number;

  @count()
  offline!: number;

  @count()
  in_flight!: number;

  @count()
  stopping!: number;

  @count()
  succeeded!: number;

  @count()
  failed!: number;

  @count()
  timed_out!: number;

  @count()
  never_contacted!: number;

  @count()
  rejected!: number;

  @count()
  unknown!: number;

  @count()
  cancelled!: number;
}
