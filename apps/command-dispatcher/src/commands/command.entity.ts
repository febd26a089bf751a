import type { CommandState, FailedAttempt, LateAnswer } from '@muster/contracts';
import { StateRow } from '@muster/journal';
import { Column, Entity, Index } from 'typeorm';

/** One command to one device. Times: `expires_at` ends the wait in the queue, `deadline` the work, `due_at` is when the sweep looks next. */
@Entity({ name: 'command' })
@Index('command_queue', { synchronize: false })
@Index('command_concurrent', { synchronize: false })
@Index('command_of_lock', { synchronize: false })
@Index('command_held', { synchronize: false })
@Index('command_of_request', ['project_id', 'request_id', 'id'], { where: 'by_user' })
@Index('command_of_device', ['project_id', 'device_id', 'id'])
@Index('command_due', ['due_at'], { where: 'due_at IS NOT NULL' })
export class CommandEntity extends StateRow<CommandState> {
  @Column('jsonb', { default: [] })
  activity!: { state: string; at: string }[];

  @Column('text', { nullable: true })
  traceparent!: string | null;

  @Column('uuid')
  request_id!: string;

  @Column('uuid')
  device_id!: string;

  /** The asker's own id, given back with the outcome. */
  @Column('uuid')
  ref!: string;

  /** Laid over the request's arguments. */
  @Column('jsonb')
  args!: Record<string, unknown>;

  @Column('integer')
  priority!: number;

  @Column('integer')
  in_progress_seconds!: number;

  @Column('integer')
  offline_seconds!: number;

  @Column('integer', { default: 0 })
  attempt!: number;

  /** Grows with each attempt on the device; a status with another fence changes nothing. */
  @Column('integer', { default: 0 })
  fence!: number;

  /** How often this attempt was sent. */
  @Column('integer', { default: 0 })
  sends!: number;

  @Column('timestamptz')
  expires_at!: Date;

  @Column('timestamptz', { nullable: true })
  deadline!: Date | null;

  @Column('timestamptz', { nullable: true })
  due_at!: Date | null;

  @Column('boolean', { default: false })
  cancel_requested!: boolean;

  @Column('double precision', { nullable: true })
  progress!: number | null;

  @Column('text', { default: '' })
  code!: string;

  @Column('jsonb', { nullable: true })
  evidence!: Record<string, unknown> | null;

  /** Whether a user asked for it: then its request keeps counts. */
  @Column('boolean', { default: false })
  by_user!: boolean;

  /** Whether its request has rules for trying again. */
  @Column('boolean', { default: false })
  retries!: boolean;

  @Column('boolean', { default: false })
  concurrent!: boolean;

  /** It goes while this owner holds the device's lock, and fails without it. */
  @Column('uuid', { nullable: true })
  lock_owner!: string | null;

  /** Whether its request has it held while its device is offline. */
  @Column('boolean', { default: false })
  hold_offline!: boolean;

  /** While it waits: not sent until it is asked for again with its device online. */
  @Column('boolean', { default: false })
  held!: boolean;

  /** How often its asker let it go. */
  @Column('integer', { default: 0 })
  turn!: number;

  /** The device's own zone, of a command with a schedule. */
  @Column('text', { nullable: true })
  timezone!: string | null;

  /** The window that it may be sent in, or waits for. */
  @Column('timestamptz', { nullable: true })
  window_opens!: Date | null;

  @Column('timestamptz', { nullable: true })
  window_closes!: Date | null;

  /** The attempts that another one followed. */
  @Column('jsonb', { default: [] })
  failures!: FailedAttempt[];

  /** What the device said of it after it had ended. */
  @Column('jsonb', { nullable: true })
  late_answer!: LateAnswer | null;
}
