import { BATCH_SIZE } from '@muster/contracts';
import { batch } from '@muster/journal';
import { Injectable } from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';
import { v7 as uuid } from 'uuid';
import { DefinitionStore } from './definition.store.js';
import type { TargetListEntity } from './target-list.entity.js';
import { TargetEntity } from './target.entity.js';
import type { NamedDevice } from './target.devices.js';

/** The SQL of targets: one method a statement. */
@Injectable()
export class TargetStore extends DefinitionStore<TargetEntity> {
  constructor(dataSource: DataSource) {
    super(dataSource, { entity: TargetEntity, noun: 'target' });
  }

  /** Adds those of the devices that are not in the list yet, in batches. @returns how many. */
  async addAll(
    manager: EntityManager,
    list: TargetListEntity,
    devices: readonly NamedDevice[],
    by: number,
  ): Promise<number> {
    let added = 0;
    for (let at = 0; at < devices.length; at += BATCH_SIZE) {
      added += await this.addBatch(manager, list, devices.slice(at, at + BATCH_SIZE), by);
    }
    return added;
  }

  /** Has the targets of a list that is about to go deleted in the background: they may be many. */
  async giveUp(manager: EntityManager, { project_id, id }: TargetListEntity): Promise<void> {
    await manager.query(`INSERT INTO target_removal (project_id, target_list_id) VALUES ($1, $2)`, [project_id, id]);
  }

  /** The same for all lists of a pipeline. */
  async giveUpAll(manager: EntityManager, project: string, pipeline: string): Promise<void> {
    await manager.query(
      `INSERT INTO target_removal (project_id, target_list_id)
       SELECT project_id, id FROM target_list WHERE project_id = $1 AND pipeline_id = $2`,
      [project, pipeline],
    );
  }

  private async addBatch(
    manager: EntityManager,
    { project_id, pipeline_id, id }: TargetListEntity,
    devices: readonly NamedDevice[],
    by: number,
  ): Promise<number> {
    const given = batch(['$5::uuid[]', '$6::uuid[]', '$7::text[]'], ['id', 'device_id', 'device_name']);
    const [row] = await manager.query<{ added: number }[]>(
      `WITH added AS (
         INSERT INTO target (project_id, id, pipeline_id, target_list_id, device_id, device_name, device_alias, is_active, created_by, updated_by)
         SELECT i.project_id, i.id, $2::uuid, $3::uuid, i.device_id, i.device_name, '', true, $4::integer, $4::integer FROM ${given}
         ON CONFLICT (project_id, target_list_id, device_id) DO NOTHING RETURNING id
       ) SELECT count(*)::integer AS added FROM added`,
      [
        project_id,
        pipeline_id,
        id,
        by,
        devices.map(() => uuid()),
        devices.map((device) => device.id),
        devices.map((device) => device.name),
      ],
    );
    return row!.added;
  }
}
