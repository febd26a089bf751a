import { Injectable } from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';
import { DefinitionStore } from './definition.store.js';
import { StageEntity } from './stage.entity.js';

/** The SQL of stages: one method a statement. */
@Injectable()
export class StageStore extends DefinitionStore<StageEntity> {
  constructor(dataSource: DataSource) {
    super(dataSource, { entity: StageEntity, noun: 'stage', order: '"order"' });
  }

  /** Moves a stage to another place, and those between one on. */
  async move(manager: EntityManager, { project_id, pipeline_id, id, order }: StageEntity, to: number): Promise<void> {
    await manager.query(
      `UPDATE stage SET "order" = CASE WHEN id = $3 THEN $5::integer WHEN $4::integer > $5::integer THEN "order" + 1 ELSE "order" - 1 END
       WHERE project_id = $1 AND pipeline_id = $2 AND "order" BETWEEN least($4::integer, $5::integer) AND greatest($4::integer, $5::integer)`,
      [project_id, pipeline_id, id, order, to],
    );
  }

  /** Those behind a stage that is gone come one nearer. */
  async closeGap(manager: EntityManager, { project_id, pipeline_id, order }: StageEntity): Promise<void> {
    await manager.query(
      `UPDATE stage SET "order" = "order" - 1 WHERE project_id = $1 AND pipeline_id = $2 AND "order" > $3`,
      [project_id, pipeline_id, order],
    );
  }
}
