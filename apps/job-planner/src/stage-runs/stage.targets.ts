import { BATCH_SIZE, deviceState, type DeviceQuery } from '@muster/contracts';
import { RpcClient } from '@muster/messaging';
import { Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import type { NewTarget, TargetPage } from '../rollout/family.js';
import { passesOf } from '../rollout/passes.js';
import type { RolloutEntity } from '../rollout/rollout.entity.js';
import type { StageRunEntity } from './stage-run.entity.js';

/** Where planning is: in which target list, and after what in it. */
interface Place {
  list: number;
  after: string;
}

interface Listed {
  id: string;
  device_id: string;
  device_alias: string;
}

/** Finds the devices of stage runs, a page of one target list at a time. */
@Injectable()
export class StageTargets {
  constructor(
    private readonly dataSource: DataSource,
    private readonly rpc: RpcClient,
  ) {}

  /** @param operations how many the stage has: each device gets so many target runs */
  async page(rollout: RolloutEntity, stageRun: StageRunEntity, operations: number): Promise<TargetPage> {
    const { list, after } = placeOf(rollout.plan_cursor);
    const { target_list_ids: lists } = stageRun;
    const id = lists[list];
    if (id === undefined) return { targets: [], cursor: '', last: true };
    const wave = passesOf(rollout.spec)[rollout.pass] ?? null;
    const query = wave === null ? undefined : rollout.spec.waves![wave]!.query;
    const limit = Math.max(1, Math.floor(BATCH_SIZE / Math.max(1, operations)));
    const { targets, next } =
      (await this.ofGroups(rollout.project_id, id, query, after, limit)) ??
      (await this.ofDevices(rollout.project_id, id, query, after, limit));
    if (next !== null) return { targets, cursor: `${list} ${next}`, last: false };
    return { targets, cursor: `${list + 1} `, last: list + 1 >= lists.length };
  }

  /** Undefined where the list has no groups. */
  private async ofGroups(
    project_id: string,
    list: string,
    query: DeviceQuery | undefined,
    after: string,
    limit: number,
  ) {
    const groups = await this.dataSource.query<{ id: string }[]>(
      `SELECT device_group_id AS id FROM target_list_device_group WHERE project_id = $1 AND target_list_id = $2 ORDER BY 1`,
      [project_id, list],
    );
    if (groups.length === 0) return undefined;
    const members: DeviceQuery = anyOf(groups.map(({ id }) => ({ group: id })));
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

  private async ofDevices(
    project_id: string,
    list: string,
    query: DeviceQuery | undefined,
    after: string,
    limit: number,
  ) {
    const listed = await this.dataSource.query<Listed[]>(
      `SELECT id, device_id, device_alias FROM target
       WHERE project_id = $1 AND target_list_id = $2 AND is_active AND id > $3 ORDER BY id LIMIT $4`,
      [project_id, list, after || '00000000-0000-0000-0000-000000000000', limit],
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

/** A query takes no more than this many alternatives at once. */
const ALTERNATIVES = 32;

function anyOf(queries: readonly DeviceQuery[]): DeviceQuery {
  if (queries.length === 1) return queries[0]!;
  if (queries.length <= ALTERNATIVES) return { or: [...queries] };
  const parts: DeviceQuery[] = [];
  for (let at = 0; at < queries.length; at += ALTERNATIVES) parts.push(anyOf(queries.slice(at, at + ALTERNATIVES)));
  return anyOf(parts);
}
