import type { DeviceQuery, JsonObject, OperationState, Rollout, RolloutWait, ScheduleArgs } from '@muster/contracts';
import { StateRow } from '@muster/journal';
import { Column, Entity, Index } from 'typeorm';
import type { RolloutState, Wish } from './operation.decide.js';

const count = () => Column('integer', { default: 0 });

/** An operation with its exact counts. */
@Entity({ name: 'operation' })
@Index('operation_created', ['project_id', 'created_at', 'id'])
@Index('operation_updated', ['project_id', 'updated_at', 'id'])
@Index('operation_wake', ['wake_at'], { where: 'wake_at IS NOT NULL' })
@Index('operation_due', ['project_id', 'due_at', 'id'], { where: 'due_at IS NOT NULL' })
@Index('operation_finished', { synchronize: false })
export class OperationEntity extends StateRow<OperationState> {
  @Column('jsonb', { default: [] })
  activity!: { state: OperationState; at: string }[];

  @Column('text', { nullable: true })
  traceparent!: string | null;

  /** What the devices are to do: CONVERGE, or the name of a command. */
  @Column('text')
  operation!: string;

  @Column('text')
  schedule_type!: 'IMMEDIATE' | 'WINDOW';

  @Column('jsonb')
  schedule_args!: ScheduleArgs;

  /** Its maker's zone. */
  @Column('text')
  console_timezone!: string;

  @Column('jsonb')
  query!: DeviceQuery;

  /** The groups that its query names. */
  @Column('uuid', { array: true, default: [] })
  refers!: string[];

  /** How it goes through its devices; null: through all of them at once. */
  @Column('jsonb', { nullable: true })
  rollout!: Rollout | null;

  @Column('text', { default: 'none' })
  rollout_state!: RolloutState;

  /** What lets no further device begin, as job-planner said last. */
  @Column('text', { nullable: true })
  rollout_waits_for!: RolloutWait | null;

  /** Up to which device job-planner was asked about those that have not begun; null: it is asked from the first on. */
  @Column('uuid', { nullable: true })
  asked_after!: string | null;

  @Column('jsonb')
  arguments!: JsonObject;

  /** Why its maker wanted it. */
  @Column('text')
  purpose!: string;

  /** The operation for which this one converges again what drifted, if it does. */
  @Column('uuid', { nullable: true })
  source_id!: string | null;

  @Column('uuid')
  created_by!: string;

  @Column('uuid')
  updated_by!: string;

  @Column('timestamptz', { default: () => 'now()' })
  updated_at!: Date;

  @Column('text', { default: 'run' })
  wish!: Wish;

  /** The first moment at which a window of any of its devices may open; null when there is none to wait for. */
  @Column('timestamptz', { nullable: true })
  opens_at!: Date | null;

  /** When its time is up. */
  @Column('timestamptz')
  deadline!: Date;

  /** Until when it waits for what its state says; null once it has ended. */
  @Column('timestamptz', { nullable: true })
  due_at!: Date | null;

  /** When the sweep looks next; null once it has ended. */
  @Column('timestamptz', { nullable: true })
  wake_at!: Date | null;

  @Column('boolean', { default: false })
  resolved!: boolean;

  /** The last device that was resolved. */
  @Column('uuid', { nullable: true })
  resolve_cursor!: string | null;

  /** Why not every one of its devices has its turn, be it resolved or not; empty when all do. */
  @Column('text', { default: '' })
  fault!: string;

  @count()
  in_created!: number;

  @count()
  in_initiated!: number;

  @count()
  in_dispatched!: number;

  @count()
  in_processing!: number;

  @count()
  in_completed!: number;

  @count()
  in_success!: number;

  @count()
  in_failure!: number;

  @count()
  in_timeout!: number;

  @count()
  in_cancelled!: number;

  @count()
  sent!: number;

  @count()
  unsent!: number;

  @count()
  stopping!: number;

  /** When its device operations were deleted, long after its end; the counts stay as they were. */
  @Column('timestamptz', { nullable: true })
  devices_deleted_at!: Date | null;
}
