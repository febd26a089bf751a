import type { JsonObject } from '@muster/contracts';
import { Injectable } from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';
import { DefinitionStore } from './definition.store.js';
import { PipelineOperationEntity } from './pipeline-operation.entity.js';

/** The SQL of the operations of pipelines: one method a statement. */
@Injectable()
export class PipelineOperationStore extends DefinitionStore<PipelineOperationEntity> {
  constructor(dataSource: DataSource) {
    super(dataSource, { entity: PipelineOperationEntity, noun: 'operation', order: 'place' });
  }

  /** The arguments of a stage's operations but one. */
  async otherArgs(
    manager: EntityManager,
    { project_id, stage_id, id }: { project_id: string; stage_id: string; id: string },
  ): Promise<JsonObject[]> {
    const rows = await manager.query<{ args: JsonObject }[]>(
      `SELECT args FROM pipeline_operation WHERE project_id = $1 AND stage_id = $2 AND id <> $3`,
      [project_id, stage_id, id],
    );
    return rows.map(({ args }) => args);
  }
}
