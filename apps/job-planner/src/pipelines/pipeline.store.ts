import { DomainError } from '@muster/contracts';
import { Injectable } from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';
import { DefinitionStore, type NewRow } from './definition.store.js';
import { PipelineEntity } from './pipeline.entity.js';

/** SQL: rows of a table that belong to the target lists of the stage `s`. */
const targetsOfStage = (table: string, condition = '') => `
  EXISTS (SELECT FROM stage_target_list l JOIN ${table} g ON g.project_id = l.project_id AND g.target_list_id = l.target_list_id
          WHERE l.project_id = s.project_id AND l.stage_id = s.id ${condition})`;

/** SQL: whether a run of the pipeline `t` has something to do in each of its stages, of which there must be one. */
const IS_VALID = `
  EXISTS (SELECT FROM stage s WHERE s.project_id = t.project_id AND s.pipeline_id = t.id)
  AND NOT EXISTS (
    SELECT FROM stage s WHERE s.project_id = t.project_id AND s.pipeline_id = t.id AND NOT (
      EXISTS (SELECT FROM pipeline_operation o WHERE o.project_id = s.project_id AND o.stage_id = s.id)
      AND (${targetsOfStage('target', 'AND g.is_active')} OR ${targetsOfStage('target_list_device_group')})))`;

/** What runs statements: a transaction of TypeORM, or one of the journal. */
export interface Queries {
  query(sql: string, parameters: unknown[]): Promise<unknown>;
}

/** A pipeline with what follows from all that belongs to it. */
export type PipelineRow = PipelineEntity & { is_valid: boolean };

/** The SQL of pipelines: one method a statement. */
@Injectable()
export class PipelineStore extends DefinitionStore<PipelineEntity, PipelineRow> {
  constructor(dataSource: DataSource) {
    super(dataSource, { entity: PipelineEntity, noun: 'pipeline', columns: `t.*, (${IS_VALID}) AS is_valid` });
  }

  /** The pipeline with this id: a new one, unless there was one. */
  async insertOnce(manager: EntityManager, row: NewRow, by: number): Promise<PipelineRow> {
    await this.insertOf(manager, row, by).orIgnore().execute();
    return this.get({ project_id: row.project_id, id: row.id }, manager);
  }

  /** Locks the pipeline until the transaction ends. @throws DomainError `not_found`. */
  async lock(manager: EntityManager, project: string, id: string): Promise<void> {
    const rows = await manager.query<unknown[]>(`SELECT FROM pipeline WHERE project_id = $1 AND id = $2 FOR UPDATE`, [
      project,
      id,
    ]);
    if (rows.length === 0) throw new DomainError('not_found', `no pipeline ${id}`);
  }

  /** The pipeline, which is locked, has no run under way. @throws DomainError `conflict` naming the run that it has. */
  async refuseOpenRun(queries: Queries, project: string, id: string): Promise<void> {
    const [run] = (await queries.query(
      `SELECT id FROM pipeline_run WHERE project_id = $1 AND pipeline_id = $2 AND due_at IS NOT NULL LIMIT 1`,
      [project, id],
    )) as { id: string }[];
    if (run) throw new DomainError('conflict', `run ${run.id} of the pipeline has not ended`);
  }
}
