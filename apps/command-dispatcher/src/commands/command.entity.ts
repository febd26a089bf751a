import type { CommandState } from '@muster/contracts';
import { Column, Entity, Index, PrimaryColumn } from 'typeorm';

/** One command to one device. Times: `expires_at` ends the wait in the queue, `deadline` the work, `due_at` is when the sweep looks next. */
@Entity({ name: 'command' })
@Index('command_queue', { synchronize: false })
@Index('command_due', ['due_at'], { where: 'due_at IS NOT NULL' })
export class CommandEntity {
  @PrimaryColumn('text', { primaryKeyConstraintName: 'command_pkey' })
  project_id!: string;

  @PrimaryColumn('uuid', { primaryKeyConstraintName: 'command_pkey' })
  id!: string;

  @Column('text')
  state!: CommandState;

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
}
