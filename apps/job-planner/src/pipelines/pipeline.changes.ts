import { Injectable } from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';
import type { PartEntity } from './definition.entity.js';
import type { DefinitionStore, Filter } from './definition.store.js';
import { PipelineStore } from './pipeline.store.js';

/** Changes of what belongs to one pipeline take turns under the lock of its row: so limits and orders hold whoever changes it at once. */
@Injectable()
export class PipelineChanges {
  constructor(
    private readonly dataSource: DataSource,
    private readonly pipelines: PipelineStore,
  ) {}

  /** Runs `change` in one transaction, when it is the pipeline's turn. @throws DomainError `not_found` naming the pipeline. */
  async of<T>(project: string, pipeline: string, change: (manager: EntityManager) => Promise<T>): Promise<T> {
    return this.dataSource.transaction(async (manager) => {
      await this.pipelines.lock(manager, project, pipeline);
      return change(manager);
    });
  }

  /** The same for one part of a pipeline, as it is when its turn has come. @throws DomainError `not_found` naming the part. */
  async ofPart<Row extends PartEntity, T>(
    parts: DefinitionStore<Row>,
    key: Filter & { project_id: string; id: string },
    change: (manager: EntityManager, part: Row) => Promise<T>,
  ): Promise<T> {
    const { project_id, pipeline_id } = await parts.get(key);
    return this.of(project_id, pipeline_id, async (manager) => change(manager, await parts.get(key, manager)));
  }
}
