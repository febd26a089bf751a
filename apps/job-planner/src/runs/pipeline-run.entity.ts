import type { RunState } from '@muster/contracts';
import { StateRow } from '@muster/journal';
import { Column, Entity, Index } from 'typeorm';
import type { RunWish } from './run.decide.js';

/** A run of a pipeline. Users are the numbers of their tokens. */
@Entity({ name: 'pipeline_run' })
@Index('pipeline_run_number', ['project_id', 'pipeline_id', 'run_number'], { unique: true })
@Index('pipeline_run_list', ['project_id', 'created_at', 'id'])
@Index('pipeline_run_open', { synchronize: false })
@Index('pipeline_run_untold', ['tell_at'], { where: 'tell_at IS NOT NULL' })
@Index('pipeline_run_due', ['due_at'], { where: 'due_at IS NOT NULL' })
export class PipelineRunEntity extends StateRow<RunState> {
  @Column('text', { nullable: true })
  traceparent!: string | null;

  @Column('uuid')
  pipeline_id!: string;

  @Column('text')
  pipeline_name!: string;

  /** Counts the runs of its pipeline, from 1. */
  @Column('integer')
  run_number!: number;

  /** Who started it, as approvals show who asked. */
  @Column('uuid')
  started_by!: string;

  @Column('text', { default: 'run' })
  wish!: RunWish;

  /** It is to wait before its next stage, or does. */
  @Column('boolean', { default: false })
  waits!: boolean;

  /** Up to which stage, from 0 on, somebody has promoted it. */
  @Column('integer', { default: 0 })
  promoted!: number;

  /** When its time is up. */
  @Column('timestamptz')
  deadline!: Date;

  /** When the sweep looks next; null once it has ended. */
  @Column('timestamptz', { nullable: true })
  due_at!: Date | null;

  /** How often its progress was told, and when last; at first when it was made. */
  @Column('integer', { default: 0 })
  told!: number;

  @Column('timestamptz', { default: () => 'now()' })
  told_at!: Date;

  /** When its progress is to be told, as it has moved since; null when it has not. Of its stages, their rollouts say whether they have. */
  @Column('timestamptz', { nullable: true })
  tell_at!: Date | null;

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
