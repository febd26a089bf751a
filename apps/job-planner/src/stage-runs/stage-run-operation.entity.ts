import type { JsonObject } from '@muster/contracts';
import { Column, Entity, Index } from 'typeorm';
import { DefinitionEntity } from '../pipelines/definition.entity.js';

/** An operation of a stage as it was when the run started; the request of its commands has its id. */
@Entity({ name: 'stage_run_operation' })
@Index('stage_run_operation_step', ['project_id', 'stage_run_id', 'step'], { unique: true })
export class StageRunOperationEntity extends DefinitionEntity {
  @Column('uuid')
  stage_run_id!: string;

  /** From 0, in the order in which devices carry them out. */
  @Column('integer')
  step!: number;

  @Column('text')
  operation_type!: string;

  @Column('jsonb')
  args!: JsonObject;
}
