import {
  BATCH_SIZE,
  deployments,
  deviceState,
  isObject,
  type DeviceQuery,
  type JobType,
  type JsonObject,
  type NewJob,
} from '@muster/contracts';
import { RpcClient } from '@muster/messaging';
import { Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { NIL, v7 as uuid } from 'uuid';
import type { NewTarget, TargetPage } from '../rollout/family.js';
import type { RolloutEntity } from '../rollout/rollout.entity.js';
import { queryOfPass } from '../rollout/passes.js';
import type { JobEntity } from './job.entity.js';

/** What tells the targets of a job. */
export type Sought = Pick<
  JobEntity,
  'project_id' | 'job_name' | 'job_type' | 'target_type' | 'target_ids' | 'target_query' | 'target_groups'
>;

/** The targets of a job that is yet to be made. @param target_groups those that it names */
export function soughtBy(
  project_id: string,
  { job_name, job_type, job_content }: NewJob,
  target_groups: Sought['target_groups'],
): Sought {
  const { target_type, targets: target_ids = null, target_query = null } = job_content;
  return { project_id, job_name, job_type, target_type, target_ids, target_query, target_groups };
}

/** What a rollback finds of a task that it is to bring back. */
interface ChangedTask {
  id: string;
  device_id: string;
  target_id: string;
  target_name: string;
  node_name: string | null;
  deployment_id: string | null;
  before: JsonObject | null;
}

/** Finds the targets of jobs, in pages. */
@Injectable()
export class JobTargets {
  constructor(
    private readonly dataSource: DataSource,
    private readonly rpc: RpcClient,
  ) {}

  /** The page after the rollout's cursor, of its present pass; undefined while it is not known what there is to bring back. */
  async page(rollout: RolloutEntity, job: JobEntity): Promise<TargetPage | undefined> {
    if (job.rollback_of !== null) return this.changed(rollout, job, job.rollback_of);
    return this.find(job, queryOfPass(rollout), rollout.plan_cursor);
  }

  /** The page after a cursor of those of the job's targets that fit a query as well. */
  find(job: Sought, query: DeviceQuery | undefined, cursor: string, limit = BATCH_SIZE): Promise<TargetPage> {
    return job.target_type === 'deployment'
      ? this.deployments(job, query, cursor, limit)
      : this.nodes(job, query, cursor, limit);
  }

  private async nodes(
    job: Sought,
    wave: DeviceQuery | undefined,
    plan_cursor: string,
    limit: number,
  ): Promise<TargetPage> {
    const { project_id } = job;
    const own = (name: string) => ({
      ...taskOf(job, name),
      deployment_id: job.job_type === 'deployment_deploy' ? uuid() : null,
    });
    const targetOf = ({ id, name, timezone }: { id: string; name: string; timezone: string }): NewTarget => ({
      target_id: id,
      device_id: id,
      timezone,
      own: own(name),
    });
    if (job.target_type === 'node' && job.target_ids) {
      const { ids, cursor, last } = listed(job.target_ids, plan_cursor);
      const query = both({ ids }, wave);
      const { devices } = await this.rpc.call(deviceState.resolve, { project_id, query, limit });
      return { targets: devices.map(targetOf), cursor, last };
    }
    const { devices, next } = await this.rpc.call(deviceState.resolve, {
      project_id,
      query: both(queryOf(job), wave),
      limit,
      ...(plan_cursor !== '' && { after: plan_cursor }),
    });
    return { targets: devices.map(targetOf), cursor: next ?? plan_cursor, last: next === null };
  }

  private async deployments(
    job: Sought,
    wave: DeviceQuery | undefined,
    plan_cursor: string,
    limit: number,
  ): Promise<TargetPage> {
    const { project_id } = job;
    const list = job.target_ids && listed(job.target_ids, plan_cursor);
    const query = list ? wave : both(job.target_query!, wave);
    const page = await this.rpc.call(deployments.resolveDeployments, {
      project_id,
      limit,
      ...(query && { query }),
      ...(list ? { ids: list.ids } : plan_cursor !== '' && { after: plan_cursor }),
    });
    const targets = page.deployments.map(({ id, name, device_id, device_name, timezone }): NewTarget => ({
      target_id: id,
      device_id,
      timezone,
      own: { ...taskOf(job, name), node_name: device_name, deployment_id: id },
    }));
    if (list) return { targets, cursor: list.cursor, last: list.last };
    return { targets, cursor: page.next ?? plan_cursor, last: page.next === null };
  }

  /** Of the job that is brought back, the tasks whose device it has changed, or may have; once it stands still. */
  private async changed(rollout: RolloutEntity, job: JobEntity, original: string): Promise<TargetPage | undefined> {
    const { project_id, plan_cursor } = rollout;
    const rows = await this.dataSource.query<(ChangedTask & { at_rest: boolean })[]>(
      `SELECT t.id, t.device_id, t.target_id, t.target_name, t.node_name, t.deployment_id, t.before, r.at_rest
       FROM rollout r LEFT JOIN LATERAL (
         SELECT * FROM job_task WHERE project_id = $1 AND job_id = $2 AND id > $3 AND sent
         ORDER BY id LIMIT $4) t ON true
       WHERE r.project_id = $1 AND r.id = $2`,
      [project_id, original, plan_cursor || NIL, BATCH_SIZE],
    );
    if (rows.length > 0 && !rows[0]!.at_rest) return undefined;
    const tasks = rows.filter(({ id }) => id !== null);
    const targets = tasks.map((task): NewTarget => ({
      target_id: task.target_id,
      device_id: task.device_id,
      timezone: 'UTC',
      own: {
        ...taskOf(job, task.target_name),
        node_name: task.node_name,
        deployment_id: task.deployment_id,
        args: wayBack(job.job_type, task.before),
      },
    }));
    return { targets, cursor: tasks.at(-1)?.id ?? plan_cursor, last: tasks.length < BATCH_SIZE };
  }
}

/** What a device is told to go back to; null where it is not known what it had. */
function wayBack(type: JobType, before: JsonObject | null): JsonObject {
  const { version, args } = before ?? {};
  switch (type) {
    case 'deployment_deploy':
      return {};
    case 'node_upgrade':
      return { upgrade: version === undefined ? null : { version } };
    case 'deployment_upgrade':
      return { upgrade: isObject(args) ? { ...args, version } : null, version: version ?? null };
  }
}

const taskOf = (job: Pick<JobEntity, 'job_name'>, target_name: string) => ({
  target_name,
  task_name: `${job.job_name}-${uuid().slice(-5)}`,
});

/** The devices that a job means by its groups or its query. */
function queryOf({ target_groups, target_query }: Sought): DeviceQuery {
  if (target_query) return target_query;
  const groups = target_groups.map(({ id }): DeviceQuery => ({ group: id }));
  return groups.length === 1 ? groups[0]! : { or: groups };
}

const both = (query: DeviceQuery, wave: DeviceQuery | undefined): DeviceQuery =>
  wave ? { and: [query, wave] } : query;

/** A page of what was listed; the cursor is its place in the list. */
function listed(all: readonly string[], cursor: string) {
  const from = Number(cursor || 0);
  const ids = all.slice(from, from + BATCH_SIZE);
  return { ids, cursor: String(from + ids.length), last: from + ids.length >= all.length };
}
