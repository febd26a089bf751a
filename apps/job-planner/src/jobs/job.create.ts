import {
  deployments,
  deviceGroups,
  deviceState,
  DomainError,
  invalidField,
  isObject,
  isStorable,
  jobPlanner,
  MAX_DOCUMENT_DEPTH,
  MAX_LISTED_GROUPS,
  MAX_TASK_DATA,
  nestsTooDeep,
  renamed,
  TARGETS_OF,
  type JsonObject,
  type NewJob,
  type RpcRequest,
} from '@muster/contracts';
import { currentTraceparent, Journal } from '@muster/journal';
import { RpcClient } from '@muster/messaging';
import { Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { checkRollout } from '../rollout/rollout.check.js';
import { RolloutStore } from '../rollout/rollout.store.js';
import { RolloutWake } from '../rollout/rollout.wake.js';
import { checkWaveQueries } from '../rollout/wave.queries.js';
import { JobEntity } from './job.entity.js';
import { COMMAND_OF } from './job.family.js';
import { jobTable } from './job.table.js';
import { JobTargets, soughtBy } from './job.targets.js';

const LOOK_UP = 500;
/** Most ids that an error lists. */
const LISTED = 20;

/** Where a task's document stands in the arguments of its command. */
const DOCUMENT_IN = {
  node_upgrade: 'upgrade',
  deployment_deploy: 'deployment',
  deployment_upgrade: 'upgrade',
} as const;

/** Takes a new job in. */
@Injectable()
export class JobCreate {
  constructor(
    private readonly dataSource: DataSource,
    private readonly journal: Journal,
    private readonly rpc: RpcClient,
    private readonly rollouts: RolloutStore,
    private readonly wake: RolloutWake,
    private readonly targets: JobTargets,
  ) {}

  /** @throws DomainError `invalid` naming the field; nothing is created then. Asked again with the same id it gives the job that exists. */
  async create({ project_id, job_id, job, created_by }: RpcRequest<typeof jobPlanner.createJob>): Promise<JobEntity> {
    const key = { project_id, id: job_id };
    const repository = this.dataSource.getRepository(JobEntity);
    // Asked again: the fleet may have changed since, but the job is there.
    const existing = await repository.findOneBy(key);
    if (existing) return existing;
    const groups = await this.check(project_id, job);
    const { job_content: content, rollout = {} } = job;
    await this.journal.transaction(project_id, async (tx) => {
      const created = await tx.create(jobTable, {
        id: [job_id],
        job_name: [job.job_name],
        job_type: [job.job_type],
        description: [job.description ?? ''],
        tags: [job.tags ?? []],
        target_type: [content.target_type],
        target_ids: [content.targets ?? null],
        target_query: [content.target_query ?? null],
        target_groups: [groups],
        task_data: [content.task_data ?? ''],
        created_by: [created_by],
      });
      if (created.length === 0) return;
      await this.rollouts.create(tx, {
        id: job_id,
        family: 'job',
        spec: rollout,
        command: COMMAND_OF[job.job_type].command,
        args: argsOf(job_id, job),
        traceparent: currentTraceparent() ?? null,
      });
    });
    this.wake.wake(key);
    return repository.findOneByOrFail(key);
  }

  /**
   * @returns the groups that are named, as the job's document shows them.
   * @throws DomainError `invalid` naming the field.
   */
  async check(project_id: string, job: NewJob): Promise<{ id: string; name: string }[]> {
    checkContent(job);
    const groups = await this.checkTargets(project_id, job);
    const sought = soughtBy(project_id, job, groups);
    await checkWaveQueries(job.rollout ?? {}, (query) => this.targets.find(sought, query, '', 1));
    return groups;
  }

  private async checkTargets(
    project_id: string,
    { job_content: content, rollout }: NewJob,
  ): Promise<{ id: string; name: string }[]> {
    const { target_type, targets, target_query } = content;
    if (target_query) {
      const any = await this.matches(project_id, content);
      // Those that match later join by then.
      if (!any && rollout?.membership !== 'continuous')
        throw invalid('target_query', `matches no ${target_type === 'deployment' ? 'deployment' : 'device'}`);
      return [];
    }
    if (target_type === 'node_group') return this.groups(project_id, targets!);
    const unknown: string[] = [];
    for (let at = 0; at < targets!.length; at += LOOK_UP) {
      const ids = targets!.slice(at, at + LOOK_UP);
      const known = new Set(await this.known(project_id, target_type, ids));
      unknown.push(...ids.filter((id) => !known.has(id.toLowerCase())));
    }
    if (unknown.length > 0) throw invalid('targets', `no such ${target_type}: ${listed(unknown)}`);
    return [];
  }

  private async matches(
    project_id: string,
    { target_type, target_query: query }: NewJob['job_content'],
  ): Promise<boolean> {
    const request = { project_id, query: query!, limit: 1 };
    try {
      if (target_type === 'deployment')
        return (await this.rpc.call(deployments.resolveDeployments, request)).deployments.length > 0;
      return (await this.rpc.call(deviceState.resolve, request)).devices.length > 0;
    } catch (error) {
      throw renamed(error, 'query', 'job_content.target_query');
    }
  }

  private async known(project_id: string, target_type: string, ids: string[]): Promise<string[]> {
    const limit = LOOK_UP;
    if (target_type === 'deployment') {
      const { deployments: found } = await this.rpc.call(deployments.resolveDeployments, { project_id, ids, limit });
      return found.map(({ id }) => id);
    }
    const { devices } = await this.rpc.call(deviceState.resolve, { project_id, query: { ids }, limit });
    return devices.map(({ id }) => id);
  }

  private async groups(project_id: string, ids: readonly string[]): Promise<{ id: string; name: string }[]> {
    const unknown: string[] = [];
    const groups: { id: string; name: string }[] = [];
    for (const id of ids) {
      try {
        const group = await this.rpc.call(deviceGroups.getGroup, { project_id, id });
        groups.push({ id: group.id, name: group.name });
      } catch (error) {
        if (!(error instanceof DomainError) || error.kind !== 'not_found') throw error;
        unknown.push(id);
      }
    }
    if (unknown.length > 0) throw invalid('targets', `no such node_group: ${listed(unknown)}`);
    return groups;
  }
}

/** What all devices of a job are told. */
function argsOf(job_id: string, { job_name, job_type, job_content: { task_data } }: NewJob): JsonObject {
  const document: unknown = task_data ? JSON.parse(task_data) : {};
  return { job_id, job_name, [DOCUMENT_IN[job_type]]: document };
}

const invalid = (field: string, message: string) => invalidField(`job_content.${field}`, message);

const listed = (ids: readonly string[]) =>
  ids.slice(0, LISTED).join(', ') + (ids.length > LISTED ? ` and ${ids.length - LISTED} more` : '');

/** @throws DomainError `invalid` naming the field. */
function checkContent({ job_type, job_content: content, rollout }: NewJob): void {
  const { target_type, targets, target_query, task_data } = content;
  const kinds = TARGETS_OF[job_type];
  if (!kinds.includes(target_type)) throw invalid('target_type', `must be ${kinds.join(' or ')} for ${job_type}`);
  if (!targets === !target_query) throw invalid('targets', 'give either targets or target_query');
  if (target_type === 'node_group' && target_query)
    throw invalid('target_query', 'names devices: give the target_type node with it');
  if (target_type === 'node_group' && targets!.length > MAX_LISTED_GROUPS)
    throw invalid('targets', `must have at most ${MAX_LISTED_GROUPS} groups`);
  const seen = new Set<string>();
  const twice = new Set<string>();
  for (const id of targets ?? []) {
    if (seen.has(id.toLowerCase())) twice.add(id);
    seen.add(id.toLowerCase());
  }
  if (twice.size > 0) throw invalid('targets', `named twice: ${listed([...twice])}`);
  checkTaskData(job_type, task_data);
  const isListed = target_type !== 'node_group' && !target_query;
  checkRollout(rollout, isListed ? { noMembership: 'the targets are listed, so that none can join' } : {});
}

function checkTaskData(job_type: NewJob['job_type'], task_data: string | undefined): void {
  if (Buffer.byteLength(task_data ?? '') > MAX_TASK_DATA)
    throw invalid('task_data', `must be at most ${MAX_TASK_DATA} bytes`);
  if (task_data === undefined) {
    if (job_type !== 'node_upgrade') throw invalid('task_data', `is required for ${job_type}`);
    return;
  }
  let document: unknown;
  try {
    document = JSON.parse(task_data);
  } catch {
    throw invalid('task_data', 'is not JSON');
  }
  // The document travels on its own from here: what holds for a body holds for it.
  if (nestsTooDeep(document)) throw invalid('task_data', `nests deeper than ${MAX_DOCUMENT_DEPTH} levels`);
  if (!isStorable(document)) throw invalid('task_data', 'contains U+0000 or half of a surrogate pair');
  // The parameters of a deployment (seed 003): nothing on a device could read them from anything else.
  if (job_type !== 'node_upgrade' && !isObject(document))
    throw invalid('task_data', `must be a JSON object for ${job_type}`);
}
