import { Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { DefinitionStore } from './definition.store.js';
import { PipelineOperationEntity } from './pipeline-operation.entity.js';

/** The SQL of the operations of pipelines: one method a statement. */
@Injectable()
export class PipelineOperationStore extends DefinitionStore<PipelineOperationEntity> {
  constructor(dataSource: DataSource) {
    super(dataSource, { entity: PipelineOperationEntity, noun: 'operation', order: 'place' });
  }
}
