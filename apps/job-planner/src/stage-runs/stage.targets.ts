import { BATCH_SIZE, deviceState, MAX_TARGET_GROUPS, type DeviceQuery } from '@muster/contracts';
import { RpcClient } from '@muster/messaging';
import { Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { NIL } from 'uuid';
import { anyOf } from '../rollout/any-of.js';
import type { NewTarget, TargetPage } from '../rollout/family.js';
import { queryOfPass } from '../rollout/passes.js';
import type { RolloutEntity } from '../rollout/rollout.entity.js';
import type { StageRunEntity } from './stage-run.entity.js';

/** Where planning is: in which target list, and after what in it. */
interface Place {
  list: number;
  after: string;
}

/** In which target lists devices are looked for, and how many at once. */
export interface Sought {
  project_id: string;
  lists: readonly string[];
  limit: number;
}

/** A target of a list. */
export interface Listed {
  id: string;
  device_id: string;
  device_alias: string;
}

/** SQL: the targets of lists that there are. Those of one that was deleted go in the background. */
export const LISTED = `target t JOIN target_list l ON l.project_id = t.project_id AND l.id = t.target_list_id`;

/** Finds the devices of stage runs, a page of one target list at a time. */
@Injectable()
export class StageTargets {
  constructor(
    private readonly dataSource: DataSource,
    private readonly rpc: RpcClient,
  ) {}

  /** The page after the rollout's cursor, of its present pass. */
  page(rollout: RolloutEntity, stageRun: StageRunEntity, limit: number): Promise<TargetPage> {
    const { project_id, plan_cursor } = rollout;
    return this.find({ project_id, lists: stageRun.target_list_ids, limit }, queryOfPass(rollout), plan_cursor);
  }

  /** As {@link find}, with each device on the first of its lists alone: for who keeps none of those that came before. */
  async findOnce(sought: Sought, query: DeviceQuery | undefined, cursor: string): Promise<TargetPage> {
    const { targets, ...place } = await this.find(sought, query, cursor);
    const ids = targets.map(({ device_id }) => device_id);
    const earlier = sought.lists.slice(0, placeOf(cursor).list);
    const seen = await this.onLists(sought.project_id, earlier, ids);
    return { ...place, targets: targets.filter(({ device_id }) => !seen.has(device_id)) };
  }

  /** The page after a cursor of those of the devices that fit a query as well. One that is on several lists comes up on each of them. */
  private async find(
    { project_id, lists, limit }: Sought,
    query: DeviceQuery | undefined,
    cursor: string,
  ): Promise<TargetPage> {
    const { list, after } = placeOf(cursor);
    const id = lists[list];
    if (id === undefined) return { targets: [], cursor: '', last: true };
    const { targets, next } =
      (await this.ofGroups(project_id, id, query, after, limit)) ??
      (await this.ofDevices(project_id, id, query, after, limit));
    if (next !== null) return { targets, cursor: `${list} ${next}`, last: false };
    return { targets, cursor: `${list + 1} `, last: list + 1 >= lists.length };
  }

  /** Of these devices, at most {@link BATCH_SIZE}, those that are on one of the lists. */
  private async onLists(project_id: string, lists: readonly string[], ids: readonly string[]): Promise<Set<string>> {
    if (lists.length === 0 || ids.length === 0) return new Set();
    const listed = await this.dataSource.query<{ device_id: string }[]>(
      `SELECT t.device_id FROM ${LISTED}
       WHERE t.project_id = $1 AND t.target_list_id = ANY ($2) AND t.device_id = ANY ($3) AND t.is_active`,
      [project_id, lists, ids],
    );
    const found = new Set(listed.map(({ device_id }) => device_id));
    const groups = await this.groupsOf(project_id, lists);
    // As many at once as one list may have, for which a query has room.
    for (let at = 0; at < groups.length; at += MAX_TARGET_GROUPS) {
      const left = ids.filter((id) => !found.has(id));
      if (left.length === 0) break;
      const query = { and: [{ ids: left }, membersOf(groups.slice(at, at + MAX_TARGET_GROUPS))] };
      const { devices } = await this.rpc.call(deviceState.resolve, { project_id, query, limit: BATCH_SIZE });
      for (const { id } of devices) found.add(id);
    }
    return found;
  }

  /** Undefined where the list has no groups. */
  private async ofGroups(
    project_id: string,
    list: string,
    query: DeviceQuery | undefined,
    after: string,
    limit: number,
  ) {
    const groups = await this.groupsOf(project_id, [list]);
    if (groups.length === 0) return undefined;
    const members = membersOf(groups);
    const { devices, next } = await this.rpc.call(deviceState.resolve, {
      project_id,
      query: query ? { and: [members, query] } : members,
      limit,
      ...(after !== '' && { after }),
    });
    const targets = devices.map(({ id, timezone }): NewTarget => ({
      target_id: id,
      device_id: id,
      timezone,
      own: { list_target_id: id, device_alias: '' },
    }));
    return { targets, next };
  }

  /** The device groups of these lists, each once. */
  private async groupsOf(project_id: string, lists: readonly string[]): Promise<string[]> {
    const groups = await this.dataSource.query<{ id: string }[]>(
      `SELECT DISTINCT device_group_id AS id FROM target_list_device_group
       WHERE project_id = $1 AND target_list_id = ANY ($2) ORDER BY 1`,
      [project_id, lists],
    );
    return groups.map(({ id }) => id);
  }

  private async ofDevices(
    project_id: string,
    list: string,
    query: DeviceQuery | undefined,
    after: string,
    limit: number,
  ) {
    const listed = await this.dataSource.query<Listed[]>(
      `SELECT t.id, t.device_id, t.device_alias FROM ${LISTED}
       WHERE t.project_id = $1 AND t.target_list_id = $2 AND t.is_active AND t.id > $3 ORDER BY t.id LIMIT $4`,
      [project_id, list, after || NIL, limit],
    );
    const targets = await this.known(project_id, listed, query);
    return { targets, next: listed.length === limit ? listed.at(-1)!.id : null };
  }

  /** Those of the listed devices that exist, and fit the query. */
  async known(project_id: string, listed: readonly Listed[], query?: DeviceQuery): Promise<NewTarget[]> {
    if (listed.length === 0) return [];
    const ids: DeviceQuery = { ids: listed.map(({ device_id }) => device_id) };
    const { devices } = await this.rpc.call(deviceState.resolve, {
      project_id,
      query: query ? { and: [ids, query] } : ids,
      limit: BATCH_SIZE,
    });
    const known = new Map(devices.map((device) => [device.id, device]));
    return listed.flatMap(({ id, device_id, device_alias }): NewTarget[] => {
      const device = known.get(device_id);
      if (!device) return [];
      const own = { list_target_id: id, device_alias };
      return [{ target_id: device_id, device_id, timezone: device.timezone, own }];
    });
  }
}

function placeOf(cursor: string): Place {
  const [list = '0', after = ''] = cursor.split(' ');
  return { list: Number(list), after };
}

const membersOf = (groups: readonly string[]): DeviceQuery => anyOf(groups.map((group) => ({ group })));
