import { DomainError } from '@muster/contracts';
import { Injectable } from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';
import { DefinitionStore } from './definition.store.js';
import { TargetListEntity } from './target-list.entity.js';

/** The SQL of target lists: one method a statement. */
@Injectable()
export class TargetListStore extends DefinitionStore<TargetListEntity> {
  constructor(dataSource: DataSource) {
    super(dataSource, { entity: TargetListEntity, noun: 'target list' });
  }

  /**
   * No run under way has yet to find devices on the list, whose pipeline is locked. A stage that is to come finds its own when its turn has come.
   * @throws DomainError `conflict` naming the run that has.
   */
  async refuseNeeded(manager: EntityManager, { project_id, pipeline_id, id }: TargetListEntity): Promise<void> {
    const [run] = await manager.query<{ id: string }[]>(
      `SELECT p.id FROM pipeline_run p JOIN stage_run s ON s.project_id = p.project_id AND s.pipeline_run_id = p.id
       LEFT JOIN rollout r ON r.project_id = s.project_id AND r.id = s.id
       WHERE p.project_id = $1 AND p.pipeline_id = $2 AND p.due_at IS NOT NULL
         AND s.ended_at IS NULL AND NOT coalesce(r.planned, false) AND s.target_list_ids ? $3 LIMIT 1`,
      [project_id, pipeline_id, id],
    );
    if (run) throw new DomainError('conflict', `run ${run.id} of the pipeline has yet to work on the target list`);
  }
}
