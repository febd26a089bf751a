import {
  deviceState,
  DomainError,
  jobPlanner,
  parse,
  type Device,
  type DeviceDetail,
  type JobSummary,
  type NewDevice,
  type NewJob,
  type RolloutPlan,
  type RpcContract,
  type RpcRequest,
  type RpcResponse,
} from '@muster/contracts';
import type { NatsConnection } from 'nats';

const TIME = '2025-01-01T00:00:00.000Z';

/** Answers a contract's subject as its service would; a request that does not fit the contract is refused. */
export function answerRpc<C extends RpcContract>(
  bus: NatsConnection,
  contract: C,
  handle: (request: RpcRequest<C>, traceparent: string | undefined) => RpcResponse<C> | Promise<RpcResponse<C>>,
): { stop: () => void } {
  const answer = async (data: unknown, traceparent: string | undefined) => {
    try {
      return { ok: await handle(parse(contract.request, data) as RpcRequest<C>, traceparent) };
    } catch (error) {
      if (!(error instanceof DomainError)) throw error;
      return { error: { kind: error.kind, message: error.message, details: error.details } };
    }
  };
  const subscription = bus.subscribe(contract.subject, {
    callback: (_error, message) => {
      void answer(message.json(), message.headers?.get('traceparent')).then((reply) =>
        message.respond(JSON.stringify(reply)),
      );
    },
  });
  return { stop: () => subscription.unsubscribe() };
}

/** device-state as far as its contract can be seen: names are unique, creates are idempotent by id, `Mars/Base` is no time zone. */
export class FakeDeviceState {
  readonly devices = new Map<string, Device>();
  readonly batches: number[] = [];
  private readonly answers: { stop: () => void }[] = [];

  constructor(private readonly bus: NatsConnection) {}

  async start(): Promise<void> {
    this.answers.push(
      answerRpc(this.bus, deviceState.registerDevices, ({ project_id, devices }) => {
        this.batches.push(devices.length);
        const message = 'is not an IANA time zone';
        const errors = devices.flatMap(({ device }, at) =>
          device.timezone === 'Mars/Base' ? [{ field: `devices.${at}.device.timezone`, message }] : [],
        );
        if (errors[0]) throw new DomainError('invalid', `${errors[0].field}: ${message}`, { errors });
        return { results: devices.map(({ id, device }) => this.register(project_id, id, device)) };
      }),
      answerRpc(this.bus, deviceState.getDevice, ({ project_id, id }) => detailOf(this.find(project_id, id))),
      answerRpc(this.bus, deviceState.listDevices, ({ project_id, query, after = '', limit }) => {
        const found = [...this.devices.values()]
          .filter((device) => device.project_id === project_id && device.id > after)
          .filter((device) => query?.type === undefined || device.type === query.type)
          .filter((device) => query?.online === undefined || device.online === query.online)
          .filter((device) => [query?.tags ?? []].flat().every((tag) => device.tags.includes(tag)))
          .filter((device) => device.name.startsWith(query?.name_prefix ?? ''))
          .sort((a, b) => (a.id < b.id ? -1 : 1));
        const devices = found.slice(0, limit);
        return { devices, next: found.length > limit ? devices.at(-1)!.id : null };
      }),
      answerRpc(this.bus, deviceState.patchDevice, ({ project_id, id, patch }) => {
        const device = { ...this.find(project_id, id), ...patch };
        this.devices.set(id, device);
        return detailOf(device);
      }),
    );
    // The bus must know before the gateway asks on a connection of its own.
    await this.bus.flush();
  }

  async stop(): Promise<void> {
    for (const answer of this.answers.splice(0)) answer.stop();
    await this.bus.flush();
  }

  private register(project_id: string, id: string, device: NewDevice) {
    const taken = [...this.devices.values()].find((one) => one.project_id === project_id && one.name === device.name);
    if (taken) return { id: taken.id, name: taken.name, status: 'exists' as const };
    const defaults = {
      alias: '',
      type: 'device',
      timezone: 'UTC',
      tags: [],
      attributes: {},
      desired: {},
      reported: {},
      drifted: false,
    };
    const state = { state: 'REGISTERED' as const, online: false, last_seen: null, agent: null, version: 1 };
    this.devices.set(id, { ...defaults, ...device, ...state, id, project_id, created_at: TIME, updated_at: TIME });
    return { id, name: device.name, status: 'created' as const };
  }

  private find(project_id: string, id: string): Device {
    const device = this.devices.get(id);
    if (device?.project_id !== project_id) throw new DomainError('not_found', `no device ${id}`);
    return device;
  }
}

const detailOf = (device: Device): DeviceDetail => ({ ...device, difference: device.desired });

/** What a rollout would do that has no device. */
export const PLAN_OF_NOTHING: RolloutPlan = {
  targets: { count: 0, offline: 0, sample: [], left_out: [] },
  ...{ waves: [], conflicts: [], windows: [], begins_at: null, duration: null, exposure: [] },
};

interface KnownJob {
  project_id: string;
  job: NewJob;
  created_by: string;
  summary: JobSummary;
}

/** job-planner as far as its contract can be seen: creates are idempotent by id, `task_data` must be JSON, a running job is not deleted. */
export class FakeJobPlanner {
  readonly jobs = new Map<string, KnownJob>();
  readonly asked: unknown[] = [];
  traceparent: string | undefined;

  constructor(private readonly bus: NatsConnection) {}

  async start(): Promise<void> {
    answerRpc(this.bus, jobPlanner.createJob, ({ project_id, job_id, job, created_by }, traceparent) => {
      this.traceparent = traceparent;
      if (job.job_content.task_data !== undefined) this.checkTaskData(job.job_content.task_data);
      if (!this.jobs.has(job_id)) {
        this.jobs.set(job_id, { project_id, job, created_by, summary: summaryOf(job_id, job) });
      }
      return { job_id, job_name: job.job_name, created_at: 1_735_689_600 };
    });
    answerRpc(this.bus, jobPlanner.planJob, (request) => {
      this.asked.push(request);
      return PLAN_OF_NOTHING;
    });
    answerRpc(this.bus, jobPlanner.getJob, ({ project_id, job_id }) => {
      const { summary, job } = this.find(project_id, job_id);
      return {
        ...summary,
        task_data: job.job_content.task_data ?? '',
        rollout: {},
        rollback_of: null,
        rollback_job_id: null,
        tasks: [],
        targets: [],
      };
    });
    answerRpc(this.bus, jobPlanner.listJobs, (request) => {
      this.asked.push(request);
      const jobs = [...this.jobs.values()].filter(({ project_id }) => project_id === request.project_id);
      return { job_count: jobs.length, jobs: jobs.slice(0, request.limit).map(({ summary }) => summary) };
    });
    answerRpc(this.bus, jobPlanner.listTasks, (request) => {
      this.asked.push(request);
      this.find(request.project_id, request.job_id);
      return { task_count: 0, tasks: [], next_marker: null };
    });
    answerRpc(this.bus, jobPlanner.actOnJob, ({ project_id, job_id, action }) => {
      this.find(project_id, job_id);
      if (action === 'restore') throw new DomainError('conflict', 'only a Stopped job is restored');
      return { job_id, status: action === 'retry' ? ('Running' as const) : ('Stopping' as const) };
    });
    answerRpc(this.bus, jobPlanner.deleteJob, ({ project_id, job_id }) => {
      this.find(project_id, job_id);
      this.jobs.delete(job_id);
      return {};
    });
    await this.bus.flush();
  }

  private checkTaskData(text: string): void {
    try {
      JSON.parse(text);
    } catch {
      throw new DomainError('invalid', 'job_content.task_data: is not JSON');
    }
  }

  private find(project_id: string, job_id: string): KnownJob {
    const known = this.jobs.get(job_id);
    if (known?.project_id !== project_id) throw new DomainError('not_found', `no job ${job_id}`);
    return known;
  }
}

const summaryOf = (job_id: string, job: NewJob): JobSummary => ({
  job_id,
  job_name: job.job_name,
  job_type: job.job_type,
  description: job.description ?? '',
  tags: job.tags ?? [],
  target_type: job.job_content.target_type,
  status: 'Waiting',
  reason: '',
  created_at: 1_735_689_600,
  status_last_updated_at: 1_735_689_600,
  task_total_count: 0,
  task_failed_count: 0,
  task_success_count: 0,
  progress: {
    targeted: 0,
    pending: 0,
    in_flight: 0,
    succeeded: 0,
    failed: 0,
    timed_out: 0,
    rejected: 0,
    cancelled: 0,
    unknown: 0,
    offline: 0,
    percent: 0,
    rate_per_second: 0,
    eta: null,
    wave: null,
    waiting_for: 'resolve',
  },
});
