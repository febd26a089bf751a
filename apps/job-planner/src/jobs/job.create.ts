import {
  deviceState,
  DomainError,
  isStorable,
  MAX_DOCUMENT_DEPTH,
  MAX_TASK_DATA,
  nestsTooDeep,
  type NewJob,
  type RpcRequest,
  jobPlanner,
} from '@muster/contracts';
import { Journal } from '@muster/journal';
import { RpcClient } from '@muster/messaging';
import { Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { JobEntity } from './job.entity.js';
import { JobRunner } from './job.runner.js';
import { jobTable } from './job.table.js';

const MAX_IN_FLIGHT = 1_000;
const LOOK_UP = 1_000;
/** Most ids that an error lists. */
const LISTED = 20;

/** Takes a new job in. */
@Injectable()
export class JobCreate {
  constructor(
    private readonly dataSource: DataSource,
    private readonly journal: Journal,
    private readonly rpc: RpcClient,
    private readonly runner: JobRunner,
  ) {}

  /** @throws DomainError `invalid` naming the field; nothing is created then. Asked again with the same id it gives the job that exists. */
  async create({ project_id, job_id, job, created_by }: RpcRequest<typeof jobPlanner.createJob>): Promise<JobEntity> {
    const key = { project_id, id: job_id };
    const repository = this.dataSource.getRepository(JobEntity);
    // Asked again: the fleet may have changed since, but the job is there.
    const existing = await repository.findOneBy(key);
    if (existing) return existing;
    checkContent(job);
    await this.checkTargets(project_id, job);
    const { job_content: content, rollout = {} } = job;
    await this.journal.transaction(project_id, async (tx) => {
      await tx.create(
        jobTable,
        {
          id: [job_id],
          job_name: [job.job_name],
          job_type: [job.job_type],
          description: [job.description ?? ''],
          tags: [job.tags ?? []],
          target_type: [content.target_type],
          target_ids: [content.targets ?? null],
          target_query: [content.target_query ?? null],
          task_data: [content.task_data ?? ''],
          rollout: [rollout],
          created_by: [created_by],
          max_in_flight: [rollout.max_in_flight ?? MAX_IN_FLIGHT],
        },
        { compute: { due_at: 'now()' } },
      );
    });
    this.runner.wake(key);
    return repository.findOneByOrFail(key);
  }

  private async checkTargets(project_id: string, { job_content: { targets, target_query } }: NewJob): Promise<void> {
    if (target_query) {
      const { devices } = await this.rpc.call(deviceState.resolve, { project_id, query: target_query, limit: 1 });
      if (devices.length === 0) throw new DomainError('invalid', 'job_content.target_query: matches no device');
      return;
    }
    const unknown: string[] = [];
    for (let at = 0; at < targets!.length; at += LOOK_UP) {
      const ids = targets!.slice(at, at + LOOK_UP);
      const { devices } = await this.rpc.call(deviceState.resolve, { project_id, query: { ids }, limit: LOOK_UP });
      const known = new Set(devices.map((device) => device.id));
      unknown.push(...ids.filter((id) => !known.has(id.toLowerCase())));
    }
    if (unknown.length > 0) throw new DomainError('invalid', `job_content.targets: no such node: ${listed(unknown)}`);
  }
}

const listed = (ids: readonly string[]) =>
  ids.slice(0, LISTED).join(', ') + (ids.length > LISTED ? ` and ${ids.length - LISTED} more` : '');

function checkContent({ job_type, job_content: content }: NewJob): void {
  const refuse = (field: string, message: string) => {
    throw new DomainError('invalid', `job_content.${field}: ${message}`, {
      errors: [{ field: `job_content.${field}`, message }],
    });
  };
  if (!content.targets === !content.target_query) refuse('targets', 'give either targets or target_query');
  const seen = new Set<string>();
  const twice = new Set<string>();
  for (const id of content.targets ?? []) {
    if (seen.has(id.toLowerCase())) twice.add(id);
    seen.add(id.toLowerCase());
  }
  if (twice.size > 0) refuse('targets', `named twice: ${listed([...twice])}`);
  if (Buffer.byteLength(content.task_data ?? '') > MAX_TASK_DATA)
    refuse('task_data', `must be at most ${MAX_TASK_DATA} bytes`);
  if (content.task_data === undefined) {
    if (job_type === 'deployment_deploy') refuse('task_data', 'is required for deployment_deploy');
    return;
  }
  let document: unknown;
  try {
    document = JSON.parse(content.task_data);
  } catch {
    refuse('task_data', 'is not JSON');
  }
  // The document travels on its own from here: what holds for a body holds for it.
  if (nestsTooDeep(document)) refuse('task_data', `nests deeper than ${MAX_DOCUMENT_DEPTH} levels`);
  if (!isStorable(document)) refuse('task_data', 'contains U+0000 or half of a surrogate pair');
}
