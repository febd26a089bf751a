import {
  DomainError,
  invalidField,
  pipelineRuns as contracts,
  type PipelineRun,
  type RpcContract,
  type RpcRequest,
  type RpcResponse,
  type StageRun,
  type StageRunOperation,
  type TargetRun,
  type TargetRunCommand,
} from '@muster/contracts';
import type { NatsConnection } from 'nats';
import { v7 as uuid } from 'uuid';
import { answerRpc, PLAN_OF_NOTHING } from './services.fake.js';

const TIME = '2025-01-01T00:00:00.000Z';
const ENDS: readonly string[] = ['success', 'failure', 'cancelled', 'timeout', 'invalid'];
const CANCELLABLE: readonly string[] = ['pending', 'queued', 'processing'];

interface KnownRun {
  project: string;
  run: PipelineRun;
  stageRun: StageRun;
  operations: StageRunOperation[];
  targetRuns: TargetRun[];
}

interface OfStageRun {
  project_id: string;
  stage_run_id: string;
}

/** The runs of job-planner as far as their contracts can be seen: each has one stage of two operations, and target runs once they are added.
 * A stage whose id begins with `dead` has no operation. */
export class FakePipelineRuns {
  /** Every question with its method. */
  readonly asked: { method: string; request: object }[] = [];
  private readonly runs = new Map<string, KnownRun>();

  constructor(private readonly bus: NatsConnection) {}

  async start(): Promise<void> {
    this.answer(contracts.startRun, (request) => this.startRun(request));
    this.answer(contracts.planStage, ({ stage_id }) => {
      if (stage_id.startsWith('dead')) throw invalidField('operations', 'the stage has no operation');
      return PLAN_OF_NOTHING;
    });
    this.answer(contracts.getRun, (key) => this.run(key).run);
    this.answer(contracts.listRuns, ({ project_id, pipeline_id, status, ...place }) => {
      const all = [...this.runs.values()].filter(({ project }) => project === project_id).map(({ run }) => run);
      const ofPipeline = all.filter((run) => pipeline_id === undefined || run.pipeline_id === pipeline_id);
      return page(
        ofPipeline.filter((run) => status === undefined || run.status === status),
        place,
      );
    });
    this.answer(contracts.setRun, ({ status, by, ...key }) => {
      const { run } = this.run(key);
      if (ENDS.includes(run.status)) throw invalidField('status', `a run that is ${run.status} stays so`);
      return Object.assign(run, { status, updated_by: by });
    });
    this.answer(contracts.deleteRun, (key) => {
      const { run } = this.run(key);
      if (!ENDS.includes(run.status)) throw invalidField('status', `a run that is ${run.status} is not deleted`);
      this.runs.delete(run.id);
      return run;
    });
    this.answer(contracts.listStageRuns, ({ project_id, pipeline_run_id: id, ...place }) =>
      page([this.run({ project_id, id }).stageRun], place),
    );
    this.answer(contracts.getStageRun, (key) => this.stageRun(key));
    this.answer(contracts.cancelStageRun, ({ by, ...key }) =>
      Object.assign(this.stageRun(key), { status: 'cancelled', updated_by: by }),
    );
    this.answer(contracts.listStageRunOperations, ({ limit, offset, ...key }) =>
      page(this.within(key).operations, { limit, offset }),
    );
    this.answer(contracts.getStageRunOperation, ({ id, ...key }) =>
      found(
        this.within(key).operations.find((one) => one.id === id),
        id,
      ),
    );
    this.answer(contracts.listTargetRuns, ({ status, limit, offset, ...key }) => {
      const all = this.within(key).targetRuns.filter((one) => status === undefined || one.status === status);
      return page(all, { limit, offset });
    });
    this.answer(contracts.getTargetRun, ({ id, ...key }) => this.targetRun(key, id));
    this.answer(contracts.addTargetRuns, (request) => ({ target_runs: this.add(request) }));
    this.answer(contracts.cancelTargetRun, ({ id, by, ...key }) => {
      const run = this.targetRun(key, id);
      if (!CANCELLABLE.includes(run.status)) throw invalidField('status', `a target run that is ${run.status} goes on`);
      return Object.assign(run, { status: 'cancelled', updated_by: by, ended_at: TIME });
    });
    this.answer(contracts.getTargetRunCommand, ({ target_run_id, ...key }) => this.command(key, target_run_id));
    this.answer(contracts.cancelTargetRunCommand, ({ target_run_id, command_id, by, ...key }) => {
      const command = this.command(key, target_run_id);
      found(command.request_id === command_id || undefined, command_id);
      Object.assign(this.targetRun(key, target_run_id), { command_status: 'CANCELLED', updated_by: by });
      return this.command(key, target_run_id);
    });
    await this.bus.flush();
  }

  /** Has the turn of a target run come, and its device succeed. */
  succeed(target_run_id: string): void {
    const run = [...this.runs.values()].flatMap(({ targetRuns }) => targetRuns).find(({ id }) => id === target_run_id);
    const [command_id, times] = [uuid(), { started_at: TIME, ended_at: TIME }];
    Object.assign(run!, { command_id, command_status: 'SUCCESS', status: 'success', ...times });
  }

  private answer<C extends RpcContract>(contract: C, handle: (request: RpcRequest<C>) => RpcResponse<C>): void {
    answerRpc(this.bus, contract, (request) => {
      this.asked.push({ method: contract.method, request });
      return handle(request);
    });
  }

  private startRun({ project_id, pipeline_id, id, by }: RpcRequest<typeof contracts.startRun>): PipelineRun {
    const others = [...this.runs.values()].filter(({ run }) => run.pipeline_id === pipeline_id && run.id !== id);
    if (others.some(({ run }) => !ENDS.includes(run.status)))
      throw new DomainError('conflict', 'a run of the pipeline is under way');
    const known = this.runs.get(id);
    if (known) return known.run;
    const run = runOf(id, pipeline_id, others.length + 1, by);
    const operations = ['REBOOT', 'INSTALL'].map((operation_type) => operationOf(operation_type, by));
    this.runs.set(id, { project: project_id, run, stageRun: stageRunOf(run), operations, targetRuns: [] });
    return run;
  }

  private add({ target_id, device_alias = '', by, ...key }: RpcRequest<typeof contracts.addTargetRuns>): TargetRun[] {
    const { targetRuns, operations, stageRun } = this.within(key);
    const known = targetRuns.filter((one) => one.target_id === target_id);
    if (known.length > 0) return known;
    const device_id = uuid();
    const added = operations.map(({ id: stage_run_operation_id }) => ({
      ...{ id: uuid(), target_id, device_id, device_alias, stage_run_id: stageRun.id, stage_run_operation_id },
      ...{ command_id: null, command_status: '', command_meta: { reason: '', code: '', attempts: 0 } },
      ...{ status: 'pending' as const, ...authored(by), started_at: null, ended_at: null },
    }));
    targetRuns.push(...added);
    return added;
  }

  private run({ project_id, id, pipeline_id }: { project_id: string; id: string; pipeline_id?: string }): KnownRun {
    const known = found(this.runs.get(id), id);
    const isThere = known.project === project_id && (pipeline_id ?? known.run.pipeline_id) === known.run.pipeline_id;
    return found(isThere ? known : undefined, id);
  }

  private stageRun({ project_id, pipeline_run_id, id }: RpcRequest<typeof contracts.getStageRun>): StageRun {
    const { stageRun } = this.run({ project_id, id: pipeline_run_id });
    return found(stageRun.id === id ? stageRun : undefined, id);
  }

  private within({ project_id, stage_run_id }: OfStageRun): KnownRun {
    const all = [...this.runs.values()];
    return found(
      all.find(({ project, stageRun }) => project === project_id && stageRun.id === stage_run_id),
      stage_run_id,
    );
  }

  private targetRun(key: OfStageRun, id: string): TargetRun {
    return found(
      this.within(key).targetRuns.find((one) => one.id === id),
      id,
    );
  }

  private command(key: OfStageRun, id: string): TargetRunCommand {
    const { command_id, stage_run_operation_id, device_id, command_status } = this.targetRun(key, id);
    const operation = this.within(key).operations.find((one) => one.id === stage_run_operation_id)!;
    return {
      ...{ target_run_id: id, operation_id: operation.id, command: operation.operation_type },
      ...{ command_type: 'DEVICE', device_type: 'all', device_id, schedule: 'IMMEDIATE', args: operation.args },
      ...{ request_id: found(command_id, id), request_status: command_status, request_status_reason: '' },
    };
  }
}

function found<Thing>(thing: Thing | null | undefined, id: string): Thing {
  if (thing === undefined || thing === null) throw new DomainError('not_found', `nothing ${id}`);
  return thing;
}

const page = <Row>(all: readonly Row[], { limit, offset }: { limit: number; offset: number }) => ({
  count: all.length,
  results: all.slice(offset, offset + limit),
});

const authored = (by: number) => ({ created_by: by, updated_by: by, created_at: TIME, updated_at: TIME });

const NONE = {
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
};

const runOf = (id: string, pipeline_id: string, run_number: number, by: number): PipelineRun => ({
  ...{ id, run_number, pipeline_id, pipeline_name: 'p', status: 'pending' },
  ...{ status_meta: { reason: '', waits: false }, ...authored(by), started_at: null, ended_at: null },
  progress: { ...NONE, percent: 0, stages: { of: 1, ended: 0, succeeded: 0 }, waiting_for: 'dispatch' },
});

const stageRunOf = ({ id, pipeline_id, created_by }: PipelineRun): StageRun => ({
  ...{ id: uuid(), pipeline_id, pipeline_run_id: id, stage_id: uuid() },
  stage_meta: {
    ...{ name: 's', description: '', created_by, order: 1, timeout_seconds: 60 },
    ...{ promotion: 'auto', on_failure: 'stop', rollout: {} },
  },
  ...{ status: 'pending', reason: '', progress: null, ...authored(created_by), started_at: null, ended_at: null },
});

const operationOf = (operation_type: string, by: number): StageRunOperation => ({
  ...{ id: uuid(), operation_type, args: { of: operation_type }, ...authored(by) },
});
