import type { JsonObject } from '@muster/contracts';
import { Column, Entity, ForeignKey, Index } from 'typeorm';
import { PartEntity } from './definition.entity.js';
import { OperationListEntity } from './operation-list.entity.js';

/** What a stage asks of each of its devices. */
@Entity({ name: 'pipeline_operation' })
@Index('pipeline_operation_list', ['project_id', 'operation_list_id', 'place'])
@Index('pipeline_operation_stage', ['project_id', 'stage_id', 'place'])
@ForeignKey(() => OperationListEntity, ['project_id', 'operation_list_id'], ['project_id', 'id'], {
  name: 'pipeline_operation_of_list',
  onDelete: 'CASCADE',
})
export class PipelineOperationEntity extends PartEntity {
  @Column('uuid')
  stage_id!: string;

  @Column('uuid')
  operation_list_id!: string;

  @Column('text')
  operation_type!: string;

  @Column('jsonb')
  args!: JsonObject;

  /** Grows with each operation that is created: those of a stage are in this order, also over several lists. */
  @Column({ type: 'bigint', generated: 'identity', generatedIdentity: 'ALWAYS' })
  place!: string;
}
