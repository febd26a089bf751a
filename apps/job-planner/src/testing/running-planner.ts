import {
  commandWork,
  deployments,
  deviceGroups,
  DeviceQuery,
  deviceState,
  DomainError,
  invalidField,
  jobPlanner,
  jobWork,
  operationRolloutWork,
  validate,
  type CommandOutcome,
  type Job,
  type JobAction,
  type JsonObject,
  type NewJob,
  type Progress,
  type RpcRequest,
  type RpcResponse,
  type WorkItem,
} from '@muster/contracts';
import { RunningService } from '@muster/service/testing';
import { v7 as uuid } from 'uuid';
import { expect, vi } from 'vitest';
import { JobPlannerModule } from '../job-planner.module.js';
import type { TargetTable } from '../rollout/target.table.js';
import { entities, migrations } from '../schema.js';
import { jobTargets } from '../tasks/job-task.table.js';

export const PROJECT = 'acme';
/** Who asks for what the tests ask for. */
export const USER = '01890000-0000-7000-8000-000000000001';

export type Asked = WorkItem<typeof commandWork.request>;

interface DeploymentOfTest {
  id: string;
  name: string;
  version: string;
  device_id: string;
  device_name: string;
  timezone: string;
  args: JsonObject;
}

/** The real planner; the test is device-state and command-dispatcher. */
export class RunningPlanner {
  /** Devices that exist, in the order of their ids. */
  readonly devices: string[] = [];
  readonly names = new Map<string, string>();
  readonly zones = new Map<string, string>();
  readonly offline = new Set<string>();
  /** What a device reports, wherever it is asked. */
  readonly reported = new Map<string, unknown>();
  readonly groups = new Map<string, string[]>();
  readonly tagged = new Map<string, string[]>();
  readonly deployments: DeploymentOfTest[] = [];
  /** What is asked of command-dispatcher; and, for operations, of device-state. */
  readonly requests;
  readonly cancels;
  readonly partRequests;
  readonly partCancels;

  private constructor(readonly service: RunningService) {
    this.requests = service.hear(commandWork.request);
    this.cancels = service.hear(commandWork.cancel);
    this.partRequests = service.hear(operationRolloutWork.request);
    this.partCancels = service.hear(operationRolloutWork.cancel);
    service.answer(deviceState.resolve, (request) => this.page(request));
    service.answer(deviceState.presence, ({ ids }) => ({
      devices: ids.map((id) => ({ id, online: !this.offline.has(id), version: 1 })),
    }));
    service.answer(deviceState.reportedAt, ({ ids }) => ({
      devices: ids.map((id) => ({ id, ...(this.reported.has(id) && { value: this.reported.get(id) }) })),
    }));
    service.answer(deployments.resolveDeployments, ({ ids, query, after, limit, with_args }) => {
      const wanted = this.deployments
        .filter(
          ({ id, device_id }) =>
            (!ids || ids.includes(id)) && (!query || this.matches(device_id, query)) && (!after || id > after),
        )
        .sort((a, b) => (a.id < b.id ? -1 : 1));
      const page = wanted.slice(0, limit).map(({ args, ...rest }) => (with_args ? { ...rest, args } : rest));
      return { deployments: page, next: wanted.length > limit ? page.at(-1)!.id : null };
    });
    service.answer(deviceGroups.getGroup, ({ id }) => {
      const members = this.groups.get(id);
      if (!members) throw new DomainError('not_found', `no group ${id}`);
      const now = new Date().toISOString();
      const group = { parent_id: null, kind: 'list' as const, query: null, device_count: members.length };
      return { id, project_id: PROJECT, name: `group-${id.slice(-4)}`, ...group, created_at: now, updated_at: now };
    });
  }

  /** The page of the devices that match. @throws DomainError `invalid` where the query is none, or names a group that is not there. */
  page({
    query = {},
    after,
    limit,
    project_id,
  }: RpcRequest<typeof deviceState.resolve>): RpcResponse<typeof deviceState.resolve> {
    const [fault] = validate(DeviceQuery, query);
    if (fault) throw invalidField(`query.${fault.field}`, fault.message);
    this.refuseUnknown(query);
    const wanted =
      project_id === PROJECT
        ? this.devices.filter((id) => this.matches(id, query) && (!after || id > after)).sort()
        : [];
    const page = wanted.slice(0, limit);
    return {
      devices: page.map((id) => ({
        id,
        name: this.names.get(id) ?? `node-${id.slice(-4)}`,
        timezone: this.zones.get(id) ?? 'UTC',
      })),
      next: wanted.length > limit ? page.at(-1)! : null,
    };
  }

  private refuseUnknown({ group, and = [], or = [], not }: DeviceQuery, at = 'query'): void {
    if (group !== undefined && !this.groups.has(group)) throw invalidField(`${at}.group`, `no group ${group}`);
    for (const [place, one] of and.entries()) this.refuseUnknown(one, `${at}.and.${place}`);
    for (const [place, one] of or.entries()) this.refuseUnknown(one, `${at}.or.${place}`);
    if (not) this.refuseUnknown(not, `${at}.not`);
  }

  /** As much of a query as the tests need: ids, a group, a tag that is a list of devices here, and both. */
  private matches(id: string, { ids, group, tags, and, or, not }: DeviceQuery): boolean {
    return (
      (!ids || ids.includes(id)) &&
      (group === undefined || this.groups.get(group)?.includes(id) === true) &&
      (tags === undefined || this.tagged.get(String(tags))?.includes(id) === true) &&
      (!and || and.every((one) => this.matches(id, one))) &&
      (!or || or.some((one) => this.matches(id, one))) &&
      (!not || !this.matches(id, not))
    );
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
      created_by: USER,
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

  /** Commands that the planner has asked for, as often as it has. */
  asks(id: string): Asked[] {
    return [...this.requests, ...this.partRequests]
      .filter((batch) => batch.head.request_id === id)
      .flatMap((batch) => batch.items);
  }

  /** Commands that the planner has asked for, each once, in order. */
  asked(id: string): Asked[] {
    return [...new Map(this.asks(id).map((item) => [item.command_id, item])).values()];
  }

  /** Ids of the commands whose cancel the planner has asked for. */
  cancelled(id: string): string[] {
    return [...this.cancels, ...this.partCancels]
      .filter((batch) => batch.head.request_id === id)
      .flatMap((batch) => batch.items.map(({ command_id }) => command_id));
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
    more: Partial<WorkItem<typeof jobWork.outcome>> = {},
  ): Promise<void> {
    const outcomes = items.map(({ command_id, ref }) => ({
      command_id,
      ref,
      status,
      reason,
      code: '',
      sent: true,
      ...more,
    }));
    await this.service.ask(jobWork.outcome, { project_id: PROJECT, head: { request_id: job_id }, items: outcomes });
  }

  /** Tells of commands that they are held, or of their devices that they are back. */
  async step(job_id: string, items: readonly Asked[], step: WorkItem<typeof jobWork.step>['step']): Promise<void> {
    const steps = items.map(({ command_id, ref, turn }) => ({
      command_id,
      ref,
      step,
      ...(turn !== undefined && { turn }),
    }));
    await this.service.ask(jobWork.step, { project_id: PROJECT, head: { request_id: job_id }, items: steps });
  }

  /** The job once its progress has these numbers. */
  async progressed(job_id: string, progress: Partial<Progress>): Promise<Job> {
    let last: Job | undefined;
    const entries = Object.entries(progress) as [keyof Progress, unknown][];
    await vi
      .waitUntil(async () => {
        last = await this.job(job_id);
        return entries.every(([name, value]) => last!.progress[name] === value);
      })
      .catch(() => undefined);
    expect(last!.progress).toMatchObject(progress);
    return last!;
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

  /** The counts of a rollout as its parts say, counted again. */
  async recount(id: string, { states: { table }, owner }: TargetTable = jobTargets): Promise<Record<string, number>> {
    const rows = await this.service.query<{ state: string; held: boolean; outcome: string | null; n: number }>(
      `SELECT state, waits_for = 'offline' AS held, outcome, count(*)::integer AS n FROM ${table} WHERE ${owner} = $1 GROUP BY 1, 2, 3`,
      [id],
    );
    const of = (which: (row: (typeof rows)[number]) => boolean) =>
      rows.filter(which).reduce((sum, row) => sum + row.n, 0);
    const ended = (...outcomes: string[]) =>
      of((row) => !['Waiting', 'Running', 'Stopping'].includes(row.state) && outcomes.includes(row.outcome ?? ''));
    return {
      targeted: of(() => true),
      pending: of((row) => row.state === 'Waiting' && !row.held),
      offline: of((row) => row.state === 'Waiting' && row.held),
      in_flight: of((row) => row.state === 'Running' || row.state === 'Stopping'),
      succeeded: ended('succeeded'),
      failed: ended('failed'),
      timed_out: ended('timed_out', 'never_contacted'),
      rejected: ended('rejected'),
      unknown: ended('unknown'),
      cancelled: ended('cancelled'),
    };
  }

  /** The waves of a rollout have the sizes and counts that its parts say. */
  async exactWaves(id: string, { states: { table }, owner }: TargetTable = jobTargets): Promise<void> {
    const waves = await this.service.query<{ kept: JsonObject; counted: JsonObject }>(
      `SELECT json_build_object('size', w."to" - w."from", 'succeeded', w.succeeded, 'lost', w.lost, 'left_out', w.left_out, 'offline', w.offline) AS kept,
         (SELECT json_build_object('size', count(*),
            'succeeded', count(*) FILTER (WHERE state = 'Successful'),
            'lost', count(*) FILTER (WHERE state IN ('Failed', 'Timed_out')),
            'left_out', count(*) FILTER (WHERE state = 'Stopped'),
            'offline', count(*) FILTER (WHERE state = 'Waiting' AND waits_for = 'offline'))
          FROM ${table} WHERE ${owner} = r.id AND place >= w."from" AND place < w."to") AS counted
       FROM rollout r CROSS JOIN LATERAL jsonb_to_recordset(r.waves)
         AS w("from" integer, "to" integer, succeeded integer, lost integer, left_out integer, offline integer)
       WHERE r.id = $1 ORDER BY w."from"`,
      [id],
    );
    expect(waves.map(({ kept }) => kept)).toEqual(waves.map(({ counted }) => counted));
  }
}
