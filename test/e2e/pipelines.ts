import type {
  JsonObject,
  NewStage,
  Pipeline,
  PipelineRun,
  RunState,
  StageRun,
  StageRunOperation,
  TargetRun,
  TargetRunCommand,
} from '@muster/contracts';
import { expect } from 'vitest';
import type { Answer, Stack } from '../harness/stack.js';
import { until } from '../harness/until.js';
import { readEvents, type BusEvent } from './events.js';
import type { Execution } from './executions.js';
import type { OffsetPage } from './operations.js';

/** What every answer of the family is: `code` is 0, or the status of a refusal. */
export interface Enveloped<Content> {
  code: number;
  message: string;
  content: Content;
}

export type Refusal = Enveloped<{ errors: { field: string; message: string }[] }>;

/** A command that a stage has each of its devices carry out. */
export interface StageOperation {
  operation_type: string;
  args?: JsonObject;
}

/** A stage with what its devices do and, where they are not those of the whole pipeline, with its devices. */
export interface StageOf extends NewStage {
  operations: readonly StageOperation[];
  devices?: readonly string[];
}

/** A run with all that belongs to it, and its stage runs {@link timeless}. */
export interface WholeRun {
  run: PipelineRun;
  stages: { stageRun: StageRun; targetRuns: TargetRun[] }[];
}

/** A stage run without what changes by the clock alone. */
export const timeless = ({ progress, ...stageRun }: StageRun): StageRun => ({
  ...stageRun,
  progress: progress && { ...progress, rate_per_second: 0, eta: null },
});

/** What users do with pipelines, over HTTP. Paths are below the root of the family. */
export class PipelinesClient {
  constructor(readonly stack: Stack) {}

  answer<Body>(method: string, path: string, body?: unknown): Promise<Answer<Body>> {
    return this.stack.api<Body>(method, `/api/pipelines/v0${path}`, body);
  }

  /** @throws with the answer when it is no success. */
  async ask<Content>(method: string, path: string, body?: unknown): Promise<Content> {
    const answer = await this.answer<Enveloped<Content>>(method, path, body);
    if (answer.status !== 200) throw new Error(`${method} ${path}: ${answer.status} ${JSON.stringify(answer.body)}`);
    return answer.body.content;
  }

  /** All of a list, page by page. */
  async all<Item>(path: string): Promise<Item[]> {
    const items: Item[] = [];
    for (let next: string | null = `${path}?limit=1000`; next !== null;) {
      const page: OffsetPage<Item> = await this.ask('GET', next);
      items.push(...page.results);
      next = page.next && page.next.slice(page.next.indexOf('/v0') + '/v0'.length);
    }
    return items;
  }

  /** Makes a pipeline of these stages; gives its id. */
  async define(stages: readonly StageOf[], devices: readonly string[] = [], name = 'release'): Promise<string> {
    const create = async (path: string, body: object) => (await this.ask<{ id: string }>('POST', path, body)).id;
    const pipeline = await create('/pipelines/', { name });
    const listOf = async (ids: readonly string[]) => {
      const list = await create(`/pipelines/${pipeline}/targetlists/`, { name: 'some', target_list_type: 'DEVICES' });
      await this.ask('POST', `/pipelines/${pipeline}/targetlists/${list}/targets-bulk/`, ids);
      return list;
    };
    const common = await listOf(devices);
    for (const { operations, devices: own, ...definition } of stages) {
      const stage = await create(`/pipelines/${pipeline}/stages/`, definition);
      const target_list_id = own ? await listOf(own) : common;
      await this.ask('POST', `/stages/${stage}/targetlists/`, { target_list_id });
      const list = await create(`/stages/${stage}/operationlists/`, { name: 'what to do' });
      for (const operation of operations) await create(`/operationlists/${list}/operations/`, operation);
    }
    return pipeline;
  }

  show(pipeline: string): Promise<Pipeline> {
    return this.ask('GET', `/pipelines/${pipeline}/`);
  }

  start(pipeline: string): Promise<PipelineRun> {
    return this.ask('POST', `/pipelines/${pipeline}/runs/`, {});
  }

  run(id: string): Promise<PipelineRun> {
    return this.ask('GET', `/runs/${id}/`);
  }

  /** Sets the status of a run. */
  set(id: string, status: string): Promise<PipelineRun> {
    return this.ask('PUT', `/runs/${id}/`, { status });
  }

  stageRuns(run: string): Promise<StageRun[]> {
    return this.all(`/runs/${run}/stageruns/`);
  }

  operations(stageRun: string): Promise<StageRunOperation[]> {
    return this.all(`/stageruns/${stageRun}/operations/`);
  }

  targetRuns(stageRun: string): Promise<TargetRun[]> {
    return this.all(`/stageruns/${stageRun}/targetruns/`);
  }

  command({ stage_run_id, id }: TargetRun): Promise<TargetRunCommand> {
    return this.ask('GET', `/stageruns/${stage_run_id}/targetruns/${id}/command/`);
  }

  async whole(id: string): Promise<WholeRun> {
    const [run, stageRuns] = await Promise.all([this.run(id), this.stageRuns(id)]);
    const stages = stageRuns.map(async (stageRun) => ({
      stageRun: timeless(stageRun),
      targetRuns: await this.targetRuns(stageRun.id),
    }));
    return { run, stages: await Promise.all(stages) };
  }

  /** Waits until the run has one of these statuses. */
  reached(id: string, ...statuses: RunState[]): Promise<PipelineRun> {
    let last: PipelineRun | undefined;
    const is = async () => {
      // The gateway may be asked while the planner is away.
      last = await this.run(id).catch(() => last);
      return last && statuses.includes(last.status) ? last : undefined;
    };
    return until(`run ${id} in ${statuses.join(' or ')}`, is, { timeout: 60_000, interval: 20 }).catch(
      (error: Error) => {
        throw new Error(`${error.message}; it is ${last?.status} (${last?.status_meta.reason})`);
      },
    );
  }
}

/** Expects that the counts of each stage run are those of its devices, as its target runs show them. */
export function expectCounted({ stages }: WholeRun): void {
  for (const { stageRun, targetRuns } of stages) {
    const devices = [...Map.groupBy(targetRuns, ({ device_id }) => device_id).values()];
    const isOver = ({ status }: TargetRun) => ENDS.includes(status);
    const counted = {
      targeted: devices.length,
      succeeded: devices.filter((own) => own.every(({ status }) => status === 'success')).length,
      ended: devices.filter((own) => own.every(isOver)).length,
    };
    const { progress } = stageRun;
    const open = progress ? progress.pending + progress.in_flight + progress.offline : 0;
    const shown = {
      targeted: progress?.targeted ?? 0,
      succeeded: progress?.succeeded ?? 0,
      ended: (progress?.targeted ?? 0) - open,
    };
    expect(shown).toEqual(counted);
  }
}

/** The statuses that end a run, a stage run or a target run. */
export const ENDS: readonly string[] = ['success', 'failure', 'cancelled', 'timeout', 'invalid'];

/** The events of a run, of its stage runs and of its target runs. */
export async function eventsOf(stack: Stack, { run, stages }: WholeRun): Promise<Record<RunEntity, BusEvent[]>> {
  const bus = await stack.events();
  const own = async (entity: RunEntity, ids: readonly string[]) => {
    const isOwn = new Set(ids);
    return (await readEvents(bus, `muster.evt.demo.${entity}.>`)).filter(({ data }) => isOwn.has(data.id));
  };
  return {
    'pipeline-run': await own('pipeline-run', [run.id]),
    'stage-run': await own(
      'stage-run',
      stages.map(({ stageRun }) => stageRun.id),
    ),
    'target-run': await own(
      'target-run',
      stages.flatMap(({ targetRuns }) => targetRuns.map(({ id }) => id)),
    ),
  };
}
type RunEntity = 'pipeline-run' | 'stage-run' | 'target-run';

/** How often each target run was executed, by its id: those that never were, 0 times. */
export function executed(targetRuns: readonly TargetRun[], executions: readonly Execution[]): Map<string, number> {
  const byCommand = Map.groupBy(executions, ({ device_id, command_id }) => `${device_id} ${command_id}`);
  return new Map(
    targetRuns.map(({ id, device_id, command_id }) => [id, byCommand.get(`${device_id} ${command_id}`)?.length ?? 0]),
  );
}
