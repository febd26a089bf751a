import {
  commandWork,
  deviceState,
  jobPlanner,
  jobWork,
  type CommandOutcome,
  type Job,
  type JobAction,
  type NewJob,
  type WorkItem,
} from '@muster/contracts';
import { RunningService } from '@muster/service/testing';
import { v7 as uuid } from 'uuid';
import { vi } from 'vitest';
import { JobPlannerModule } from '../job-planner.module.js';
import { entities, migrations } from '../schema.js';

export const PROJECT = 'acme';

type Asked = WorkItem<typeof commandWork.request>;

/** The real planner; the test is device-state and command-dispatcher. */
export class RunningPlanner {
  /** Devices that exist, in the order of their ids. */
  readonly devices: string[] = [];
  readonly requests;
  readonly cancels;

  private constructor(readonly service: RunningService) {
    this.requests = service.hear(commandWork.request);
    this.cancels = service.hear(commandWork.cancel);
    service.answer(deviceState.resolve, ({ query, after, limit, project_id }) => {
      const { ids } = query as { ids?: string[] };
      const wanted =
        project_id === PROJECT
          ? this.devices.filter((id) => (!ids || ids.includes(id)) && (!after || id > after)).sort()
          : [];
      const page = wanted.slice(0, limit);
      return {
        devices: page.map((id) => ({ id, name: `node-${id.slice(-4)}`, timezone: 'UTC' })),
        next: wanted.length > limit ? page.at(-1)! : null,
      };
    });
  }

  static async start(): Promise<RunningPlanner> {
    const running = new RunningPlanner(
      await RunningService.start({ service: 'job-planner', module: JobPlannerModule, entities, migrations }),
    );
    await running.service.connection.flush();
    return running;
  }

  nodes(count: number): string[] {
    const ids = Array.from({ length: count }, () => uuid());
    this.devices.push(...ids);
    return ids;
  }

  async create(targets: string[], job: Partial<NewJob> = {}): Promise<string> {
    const job_id = uuid();
    await this.service.call(jobPlanner.createJob, {
      project_id: PROJECT,
      job_id,
      created_by: 'tester',
      job: {
        job_name: 'aaa',
        job_type: 'deployment_deploy',
        job_content: { target_type: 'node', targets, task_data: '{"a":1}' },
        ...job,
      },
    });
    return job_id;
  }

  job(job_id: string): Promise<Job> {
    return this.service.call(jobPlanner.getJob, { project_id: PROJECT, job_id });
  }

  act(job_id: string, action: JobAction): Promise<{ status: string }> {
    return this.service.call(jobPlanner.actOnJob, { project_id: PROJECT, job_id, action });
  }

  /** Commands that the planner has asked for, each once, in order. */
  asked(job_id: string): Asked[] {
    const all = this.requests.filter((batch) => batch.head.request_id === job_id).flatMap((batch) => batch.items);
    return [...new Map(all.map((item) => [item.command_id, item])).values()];
  }

  async askedFor(job_id: string, count: number): Promise<Asked[]> {
    await vi.waitUntil(() => this.asked(job_id).length >= count, { timeout: 15_000 });
    return this.asked(job_id);
  }

  /** Answers commands as command-dispatcher does. */
  async answer(
    job_id: string,
    items: readonly Asked[],
    status: CommandOutcome = 'SUCCESS',
    reason = '',
  ): Promise<void> {
    const outcomes = items.map(({ command_id, ref }) => ({ command_id, ref, status, reason, code: '', sent: true }));
    await this.service.ask(jobWork.outcome, { project_id: PROJECT, head: { request_id: job_id }, items: outcomes });
  }

  async reached(job_id: string, status: Job['status']): Promise<Job> {
    let last: Job | undefined;
    await vi.waitUntil(
      async () => {
        last = await this.job(job_id);
        return last.status === status;
      },
      { timeout: 15_000, interval: 20 },
    );
    return last!;
  }

  /** The counts of the job as its tasks say, counted again. */
  async recount(job_id: string): Promise<Record<string, number>> {
    const rows = await this.service.query<{ state: string; n: string }>(
      `SELECT state, count(*) AS n FROM job_task WHERE job_id = $1 GROUP BY state`,
      [job_id],
    );
    const of = (...states: string[]) =>
      rows.filter((row) => states.includes(row.state)).reduce((sum, row) => sum + Number(row.n), 0);
    return {
      targeted: rows.reduce((sum, row) => sum + Number(row.n), 0),
      pending: of('Waiting'),
      in_flight: of('Running', 'Stopping'),
      succeeded: of('Successful'),
      failed: of('Failed'),
      timed_out: of('Timed_out'),
      cancelled: of('Stopped'),
    };
  }
}
