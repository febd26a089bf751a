import type { JsonObject } from '@muster/contracts';
import { Column, Entity, Index, PrimaryColumn } from 'typeorm';

/** An operation of a stage as it was when the run started; the request of its commands has its id. */
@Entity({ name: 'stage_run_operation' })
@Index('stage_run_operation_step', ['project_id', 'stage_run_id', 'step'], { unique: true })
export class StageRunOperationEntity {
  @PrimaryColumn('text', { primaryKeyConstraintName: 'stage_run_operation_pkey' })
  project_id!: string;

  @PrimaryColumn('uuid', { primaryKeyConstraintName: 'stage_run_operation_pkey' })
  id!: string;

  @Column('uuid')
  stage_run_id!: string;

  /** From 0, in the order in which devices carry them out. */
  @Column('integer')
  step!: number;

  @Column('text')
  operation_type!: string;

  @Column('jsonb')
  args!: JsonObject;

  @Column('integer')
  created_by!: number;

  @Column('integer')
  updated_by!: number;

  @Column('timestamptz', { default: () => 'now()' })
  created_at!: Date;

  @Column('timestamptz', { default: () => 'now()' })
  updated_at!: Date;
}
