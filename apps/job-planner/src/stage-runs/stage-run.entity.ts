import type { StageMeta, StageRunState } from '@muster/contracts';
import { StateRow } from '@muster/journal';
import { Column, Entity, Index } from 'typeorm';

/** A stage's part in a run, with the stage as it was when the run started. Its rollout, once it has begun, has its id. */
@Entity({ name: 'stage_run' })
@Index('stage_run_of_run', ['project_id', 'pipeline_run_id', 'place'], { unique: true })
@Index('stage_run_due', ['deadline'], { where: 'deadline IS NOT NULL' })
@Index('stage_run_finished', { synchronize: false })
export class StageRunEntity extends StateRow<StageRunState> {
  @Column('uuid')
  pipeline_id!: string;

  @Column('uuid')
  pipeline_run_id!: string;

  @Column('uuid')
  stage_id!: string;

  /** From 0, in the order of the stages. */
  @Column('integer')
  place!: number;

  @Column('jsonb')
  meta!: StageMeta;

  /** The target lists that the stage used. */
  @Column('jsonb')
  target_list_ids!: string[];

  /** As what it ends once its rollout stands still, where that does not end by itself. */
  @Column('text', { nullable: true })
  ending!: 'cancelled' | 'timeout' | null;

  /** When its time is up; null while it has not begun, and once it has ended. */
  @Column('timestamptz', { nullable: true })
  deadline!: Date | null;

  /** When its target runs were deleted, long after its end; the counts of its rollout stay as they were. */
  @Column('timestamptz', { nullable: true })
  target_runs_deleted_at!: Date | null;

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
