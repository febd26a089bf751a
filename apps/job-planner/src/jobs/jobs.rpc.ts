import {
  DomainError,
  INLINE_TASKS,
  jobPlanner,
  type Job,
  type RolloutPlan,
  type RpcRequest,
  type RpcResponse,
} from '@muster/contracts';
import { JsonText, Rpc } from '@muster/messaging';
import { Controller } from '@nestjs/common';
import { DataSource, In, type EntityManager, type FindOptionsSelect, type FindOptionsWhere } from 'typeorm';
import { WATCHED, type Watched } from '../rollout/progress.js';
import { RolloutEntity } from '../rollout/rollout.entity.js';
import { shownTasks } from '../tasks/shown.tasks.js';
import { JobAct, notFound } from './job.act.js';
import { JobCreate } from './job.create.js';
import { tasksDeleted } from './job.decide.js';
import { JobForecast } from './job.forecast.js';
import { countIn, epochSeconds, fitting, jobText, toSummary } from './job.document.js';
import { JobEntity } from './job.entity.js';

// Without targets and task_data: they may be large, and a list does not show them.
const SUMMARY = {
  project_id: true,
  id: true,
  job_name: true,
  job_type: true,
  description: true,
  tags: true,
  target_type: true,
  state: true,
  reason: true,
  created_at: true,
  state_at: true,
} satisfies FindOptionsSelect<JobEntity>;

// Without the targets: they may be thousands, and the tasks say them.
const SHOWN = {
  ...SUMMARY,
  target_groups: true,
  task_data: true,
  rollback_of: true,
  rollback_job_id: true,
  tasks_deleted_at: true,
} satisfies FindOptionsSelect<JobEntity>;

/** Questions about jobs, and what users ask of them. */
@Controller()
export class JobsRpc {
  constructor(
    private readonly dataSource: DataSource,
    private readonly creation: JobCreate,
    private readonly action: JobAct,
    private readonly forecast: JobForecast,
  ) {}

  @Rpc(jobPlanner.createJob)
  async createJob(request: RpcRequest<typeof jobPlanner.createJob>): Promise<RpcResponse<typeof jobPlanner.createJob>> {
    const { id, job_name, created_at } = await this.creation.create(request);
    return { job_id: id, job_name, created_at: epochSeconds(created_at) };
  }

  @Rpc(jobPlanner.planJob)
  planJob({ project_id, job }: RpcRequest<typeof jobPlanner.planJob>): Promise<RolloutPlan> {
    return this.forecast.of(project_id, job);
  }

  @Rpc(jobPlanner.getJob)
  async getJob({ project_id, job_id }: RpcRequest<typeof jobPlanner.getJob>): Promise<JsonText<Job>> {
    // One snapshot, so that the tasks shown agree with the counts.
    return this.dataSource.transaction('REPEATABLE READ', async (manager) => {
      const [job, rollout] = await shown(manager, project_id, job_id);
      const tasks = job.tasks_deleted_at ? [] : await shownTasks(manager, job, { limit: INLINE_TASKS });
      return jobText(await withLinks(manager, job), rollout, tasks);
    });
  }

  @Rpc(jobPlanner.listJobs)
  async listJobs(request: RpcRequest<typeof jobPlanner.listJobs>): Promise<RpcResponse<typeof jobPlanner.listJobs>> {
    const { project_id, job_type, status, limit, offset, sort } = request;
    const where: FindOptionsWhere<JobEntity> = {
      project_id,
      ...(job_type ? { job_type } : {}),
      ...(status ? { state: status } : {}),
    };
    const direction = sort === 'created_at:asc' ? 'ASC' : 'DESC';
    return this.dataSource.transaction('REPEATABLE READ', async (manager) => {
      const [jobs, job_count] = await manager.getRepository(JobEntity).findAndCount({
        where,
        select: SUMMARY,
        order: { created_at: direction, id: direction },
        take: limit,
        skip: offset,
      });
      const ids = jobs.map(({ id }) => id);
      const rollouts = await manager
        .getRepository(RolloutEntity)
        .find({ where: { project_id, id: In(ids) }, select: WATCHED });
      const byId = new Map(rollouts.map((rollout) => [rollout.id, rollout]));
      return { job_count, jobs: jobs.map((job) => toSummary(job, byId.get(job.id)!)) };
    });
  }

  @Rpc(jobPlanner.listTasks)
  async listTasks(
    request: RpcRequest<typeof jobPlanner.listTasks>,
  ): Promise<JsonText<RpcResponse<typeof jobPlanner.listTasks>>> {
    const { project_id, job_id, status, limit, marker } = request;
    return this.dataSource.transaction('REPEATABLE READ', async (manager) => {
      const [job, rollout] = await shown(manager, project_id, job_id);
      if (job.tasks_deleted_at) throw new DomainError('not_found', tasksDeleted(job.tasks_deleted_at));
      const page = await shownTasks(manager, job, { status, after: marker, limit: limit + 1 });
      const texts = fitting(page.slice(0, limit));
      const next_marker = page.length > texts.length ? page[texts.length - 1]!.id : null;
      const rest = JSON.stringify({ task_count: countIn(rollout, status), next_marker });
      return new JsonText(`${rest.slice(0, -1)},"tasks":[${texts.join(',')}]}`);
    });
  }

  @Rpc(jobPlanner.actOnJob)
  async actOnJob({
    project_id,
    job_id,
    action,
  }: RpcRequest<typeof jobPlanner.actOnJob>): Promise<RpcResponse<typeof jobPlanner.actOnJob>> {
    return { job_id, status: await this.action.act({ project_id, id: job_id }, action) };
  }

  @Rpc(jobPlanner.deleteJob)
  async deleteJob({
    project_id,
    job_id,
  }: RpcRequest<typeof jobPlanner.deleteJob>): Promise<RpcResponse<typeof jobPlanner.deleteJob>> {
    await this.action.delete({ project_id, id: job_id });
    return {};
  }
}

/** The job, which names of the one that it brings back, and of the one that does so with it, those alone that were not deleted. */
async function withLinks(manager: EntityManager, job: JobEntity): Promise<JobEntity> {
  const links = [job.rollback_of, job.rollback_job_id].filter((id) => id !== null);
  if (links.length === 0) return job;
  const where = { project_id: job.project_id, id: In(links) };
  const found = await manager.getRepository(JobEntity).find({ where, select: { project_id: true, id: true } });
  const known = new Set(found.map(({ id }) => id));
  const linked = (id: string | null) => (id !== null && known.has(id) ? id : null);
  return { ...job, rollback_of: linked(job.rollback_of), rollback_job_id: linked(job.rollback_job_id) };
}

/** A job with its rollout. @throws DomainError `not_found`. */
async function shown(manager: EntityManager, project_id: string, id: string): Promise<[JobEntity, Watched]> {
  const job = await manager.getRepository(JobEntity).findOne({ where: { project_id, id }, select: SHOWN });
  if (!job) throw notFound(id);
  const rollouts = manager.getRepository(RolloutEntity);
  return [job, await rollouts.findOneOrFail({ where: { project_id, id }, select: WATCHED })];
}
