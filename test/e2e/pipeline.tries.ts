import { expect } from 'vitest';
import type { DeviceModel, RunModel, StageModel, TargetModel, Verdict } from './pipeline.model.js';
import type { Enveloped, PipelinesClient, WholeRun } from './pipelines.js';

/** What users may try with each thing; `other`: set it to a status that nobody may set. */
export const ACTIONS = {
  run: ['running', 'waiting', 'cancelled', 'other', 'start', 'delete', 'read', 'list'],
  stage: ['cancelled', 'other', 'read', 'list'],
  target: ['cancelled', 'other', 'read', 'list', 'command', 'request', 'cancel command', 'cancel another command'],
} as const;

/** A thing of a run, and what somebody tries with it. */
export type Try =
  | { of: 'run'; action: (typeof ACTIONS)['run'][number] }
  | { of: 'stage'; stage: number; action: (typeof ACTIONS)['stage'][number] }
  | { of: 'target'; stage: number; device: number; step: number; action: (typeof ACTIONS)['target'][number] };

/** What a request was answered, and what had to be. */
interface Asked {
  verdict: Verdict;
  answer: { status: number; body: Enveloped<unknown> };
}

/** A status that no user may set. */
const OTHER = 'success';
const NOBODY = '0198c000-0000-7000-8000-000000000000';
const REFUSED: Verdict = { status: 400 };
const SHOWN: Verdict = { status: 200, changes: false };

/** Tries things with a run, beside its model. */
export class Tries {
  constructor(
    private readonly client: PipelinesClient,
    private readonly model: RunModel,
    private readonly pipeline: string,
    private readonly run: string,
  ) {}

  /** Asks for it, and moves the model by it. `before`: the run as it is. */
  ask(one: Try, before: WholeRun): Promise<Asked> {
    if (one.of === 'run') return this.askRun(one.action, before);
    const stage = this.model.stages[one.stage]!;
    if (one.of === 'stage') return this.askStage(one, stage, before);
    const device = stage.devices[one.device]!;
    return this.askTarget(one, stage, device, device.targets[one.step]!, before);
  }

  private async askRun(action: (typeof ACTIONS)['run'][number], { run }: WholeRun): Promise<Asked> {
    const path = `/runs/${this.run}/`;
    const put = (status: string, verdict: Verdict) => this.send(verdict, 'PUT', path, { status });
    switch (action) {
      case 'other':
        return put(OTHER, REFUSED);
      case 'start':
        return this.send({ status: 409 }, 'POST', `/pipelines/${this.pipeline}/runs/`, {});
      case 'delete':
        return this.send(REFUSED, 'DELETE', path);
      case 'read':
        return this.shows('GET', path, run);
      case 'list':
        return this.lists(`/runs/`, `/pipelines/${this.pipeline}/runs/`, run);
      default:
        return put(action, this.model.set(action));
    }
  }

  private askStage(
    { stage: at, action }: Try & { of: 'stage' },
    stage: StageModel,
    { stages }: WholeRun,
  ): Promise<Asked> {
    const { stageRun } = stages[at]!;
    const list = `/runs/${this.run}/stageruns/`;
    const path = `${list}${stageRun.id}/`;
    if (action === 'read') return this.shows('GET', path, { status: stageRun.status, stage_id: stageRun.stage_id });
    if (action === 'list') return this.lists(list, undefined, { id: stageRun.id, status: stageRun.status });
    const verdict = action === 'other' ? REFUSED : this.after(stage.cancel());
    return this.send(verdict, 'PUT', path, { status: action === 'other' ? OTHER : action });
  }

  private askTarget(
    { stage: at, device: place, step, action }: Try & { of: 'target' },
    stage: StageModel,
    device: DeviceModel,
    target: TargetModel,
    { stages }: WholeRun,
  ): Promise<Asked> {
    const { stageRun, targetRuns } = stages[at]!;
    const document = targetRuns[place * device.targets.length + step]!;
    const list = `/stageruns/${stageRun.id}/targetruns/`;
    const path = `${list}${document.id}/`;
    const { command_id, command_status } = document;
    const command = {
      request_id: command_id,
      request_status: command_status.toLowerCase(),
      target_run_id: document.id,
    };
    const cancel = (id: string, verdict: Verdict) =>
      this.send(verdict, 'PUT', `${path}command/${id}/`, { request_status: 'cancelled' });
    switch (action) {
      case 'read':
        return this.shows('GET', path, document);
      case 'list':
        return this.lists(list, undefined, document);
      case 'command':
        return target.hasCommand
          ? this.shows('GET', `${path}command/`, command)
          : this.send({ status: 404 }, 'GET', `${path}command/`);
      case 'request':
        return target.hasCommand
          ? this.shows('POST', `${path}command/`, command)
          : this.send(REFUSED, 'POST', `${path}command/`, {});
      case 'cancel command':
        return cancel(command_id ?? NOBODY, this.after(stage.cancelCommand(device, target)));
      case 'cancel another command':
        return cancel(NOBODY, { status: 404 });
      case 'other':
        return this.send(REFUSED, 'PUT', path, { status: OTHER });
      case 'cancelled':
        return this.send(this.after(stage.cancelTarget(device, target)), 'PUT', path, { status: 'cancelled' });
    }
  }

  /** What follows for the run. */
  private after(verdict: Verdict): Verdict {
    this.model.settle();
    return verdict;
  }

  private async send(verdict: Verdict, method: string, path: string, body?: object): Promise<Asked> {
    return { verdict, answer: await this.client.answer(method, path, body) };
  }

  private async shows(method: string, path: string, document: object): Promise<Asked> {
    const asked = await this.send(SHOWN, method, path, method === 'POST' ? {} : undefined);
    expect(asked.answer.body).toMatchObject({ code: 0, content: document });
    return asked;
  }

  /** Lists show the document, and those with the filter `status` only where it is its own. */
  private async lists(
    list: string,
    other: string | undefined,
    document: { id: string; status: string },
  ): Promise<Asked> {
    const { client } = this;
    const own = async (path: string) => (await client.all<{ id: string }>(path)).filter(({ id }) => id === document.id);
    for (const path of [list, ...(other ? [other] : [])]) expect(await own(path)).toMatchObject([document]);
    if (!list.endsWith('/stageruns/')) {
      const filtered = async (status: string) =>
        (await client.ask<{ results: { id: string }[] }>('GET', `${list}?limit=1000&status=${status}`)).results.some(
          ({ id }) => id === document.id,
        );
      for (const status of ['pending', 'running', 'success', 'cancelled', document.status])
        expect([status, await filtered(status)]).toEqual([status, status === document.status]);
    }
    return this.send(SHOWN, 'GET', list);
  }
}
