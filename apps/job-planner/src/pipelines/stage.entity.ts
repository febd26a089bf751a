import type { Rollout, Stage } from '@muster/contracts';
import { Column, Entity, ForeignKey, Unique } from 'typeorm';
import { PartEntity } from './definition.entity.js';
import { PipelineEntity } from './pipeline.entity.js';

/** A stage of a pipeline. */
@Entity({ name: 'stage' })
// Looked at when a statement is over: one that moves a stage gives its neighbours each other's places.
@Unique('stage_order', ['project_id', 'pipeline_id', 'order'], { deferrable: 'INITIALLY IMMEDIATE' })
@ForeignKey(() => PipelineEntity, ['project_id', 'pipeline_id'], ['project_id', 'id'], {
  name: 'stage_of_pipeline',
  onDelete: 'CASCADE',
})
export class StageEntity extends PartEntity {
  @Column('text')
  name!: string;

  @Column('text')
  description!: string;

  /** How long a run of it may take. */
  @Column('integer')
  timeout_seconds!: number;

  /** From 1, without gaps. */
  @Column('integer')
  order!: number;

  @Column('text')
  promotion!: Stage['promotion'];

  @Column('text')
  on_failure!: Stage['on_failure'];

  /** As it was given. */
  @Column('jsonb')
  rollout!: Rollout;
}
