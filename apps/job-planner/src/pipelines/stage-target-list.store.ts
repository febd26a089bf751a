import { Injectable } from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';
import { DefinitionStore } from './definition.store.js';
import type { StageEntity } from './stage.entity.js';
import { TargetListEntity } from './target-list.entity.js';

/** SQL: target lists with the stages that use them. */
const LINKED = `(
  SELECT g.*, l.stage_id FROM stage_target_list l JOIN target_list g ON g.project_id = l.project_id AND g.id = l.target_list_id)`;

/** The SQL of the target lists of stages: one method a statement. */
@Injectable()
export class StageTargetListStore extends DefinitionStore<TargetListEntity> {
  constructor(dataSource: DataSource) {
    super(dataSource, { entity: TargetListEntity, noun: 'target list of the stage', source: LINKED });
  }

  async link(manager: EntityManager, stage: StageEntity, list: TargetListEntity): Promise<void> {
    await manager.query(
      `INSERT INTO stage_target_list (project_id, stage_id, target_list_id) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING`,
      [stage.project_id, stage.id, list.id],
    );
  }

  async unlink(manager: EntityManager, stage: StageEntity, list: TargetListEntity): Promise<void> {
    await manager.query(
      `DELETE FROM stage_target_list WHERE project_id = $1 AND stage_id = $2 AND target_list_id = $3`,
      [stage.project_id, stage.id, list.id],
    );
  }
}
