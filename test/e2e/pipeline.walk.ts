import type { PipelineRun, RunState } from '@muster/contracts';
import type { Client } from 'pg';
import { expect } from 'vitest';
import type { HeldMoves } from '../harness/held-moves.ts';
import type { OpenCommand, PlayedDevices } from '../harness/played-devices.ts';
import { RunModel, type Ending, type StageShape } from './pipeline.model.js';
import { ACTIONS, Tries, type Try } from './pipeline.tries.js';
import { expectCounted, type PipelinesClient, type WholeRun } from './pipelines.js';

/** What a run is made of, and where it is kept. */
export interface Kind {
  shapes: readonly StageShape[];
  held?: RunState;
  busy?: boolean;
  unheard?: boolean;
}

/** All that walks share. */
export interface Ground {
  client: PipelinesClient;
  devices: PlayedDevices;
  database: Client;
  held: HeldMoves;
}

const PATIENCE = { timeout: 30_000, interval: 15 };
/** The states that a held run would come to. */
const NEXT: Partial<Record<RunState, readonly string[]>> = {
  pending: ['queued'],
  queued: ['processing'],
  processing: ['running', 'invalid'],
  complete: ['success', 'failure'],
};

/** One run on its way, beside the model of it. */
export class Walk {
  /** As it was last seen. */
  private seen!: WholeRun;
  private readonly tries: Tries;
  private isBusyWith: OpenCommand[] = [];

  private constructor(
    private readonly ground: Ground,
    private readonly kind: Kind,
    private readonly pipeline: string,
    readonly id: string,
    readonly model: RunModel,
  ) {
    this.tries = new Tries(ground.client, model, pipeline, id);
  }

  static async begin(ground: Ground, kind: Kind): Promise<Walk> {
    const { client, devices, held } = ground;
    const operations = [{ operation_type: 'PING' }, { operation_type: 'REBOOT' }];
    const pipeline = await client.define(
      kind.shapes.map((shape, place) => ({
        name: `stage ${place + 1}`,
        promotion: shape.promotion,
        on_failure: shape.on_failure,
        operations: operations.slice(0, shape.operations),
        devices: devices.ids.slice(0, shape.devices),
        rollout: { max_in_flight: shape.slots, ...(shape.approval && { waves: [{ approval: true }] }) },
      })),
    );
    if (kind.held) await held.hold('pipeline_run', ...NEXT[kind.held]!);
    const busyWith = kind.busy ? await occupied(ground) : [];
    if (kind.unheard) await held.hold('command', 'QUEUED', 'SCHEDULED', 'INITIATED');
    const { id } = await client.start(pipeline);
    const surroundings = { busy: kind.busy ?? false, unheard: kind.unheard ?? false };
    const walk = new Walk(ground, kind, pipeline, id, new RunModel(kind.shapes, surroundings, kind.held));
    walk.isBusyWith = busyWith;
    return walk;
  }

  /** The same pipeline once more. */
  private again(id: string): Walk {
    const model = new RunModel(this.kind.shapes, { busy: false, unheard: false }, undefined);
    return new Walk(this.ground, { shapes: this.kind.shapes }, this.pipeline, id, model);
  }

  /** Waits until the run is where the model is. */
  async settled(): Promise<WholeRun> {
    const look = async () => {
      this.seen = await this.ground.client.whole(this.id);
      return documentOf(this.seen, this.ground.devices.underWay);
    };
    await expect.poll(look, PATIENCE).toEqual(this.model.document);
    // Read once more: of what was moving, its parts are not of one moment.
    expect(await look()).toEqual(this.model.document);
    expectCounted(this.seen);
    return this.seen;
  }

  /** What may be tried now, each with the name of the pair that it is. */
  get possible(): { pair: string; one: Try; isFinal: boolean }[] {
    const { model } = this;
    const named = (stand: string, one: Try) => {
      return { pair: `${one.of} ${stand}: ${one.action}`, one, isFinal: this.isFinal(one) };
    };
    return [
      ...ACTIONS.run.map((action) => named(model.stand, { of: 'run', action })),
      ...model.stages.flatMap(({ stand, devices }, stage) => [
        ...ACTIONS.stage.map((action) => named(stand, { of: 'stage', stage, action })),
        ...devices.flatMap((own, device) =>
          own.targets.flatMap((target, step) =>
            ACTIONS.target.map((action) => named(own.standOf(target), { of: 'target', stage, device, step, action })),
          ),
        ),
      ]),
    ];
  }

  private isFinal({ of, action }: Try): boolean {
    return of === 'run' && this.model.isOver && (action === 'delete' || action === 'start');
  }

  /** Tries it, and looks at what comes of it. @returns the walk that follows, where another run was started. */
  async try(one: Try): Promise<Walk | undefined> {
    const before = this.seen;
    if (this.isFinal(one)) {
      await this.clear();
      return one.action === 'delete' ? this.delete(before) : this.restart(before);
    }
    const { verdict, answer } = await this.tries.ask(one, before);
    expect([one, answer.status]).toEqual([one, verdict.status]);
    if (verdict.status !== 200) {
      const errors =
        verdict.status === 400 && one.action !== 'request' ? [{ field: statusOf(one), message: TEXT }] : LIST;
      expect(answer.body).toEqual({ code: verdict.status, message: TEXT, content: { errors } });
    }
    if (verdict.status === 200 && verdict.changes) await this.settled();
    else expect(still(await this.ground.client.whole(this.id))).toEqual(still(before));
    return undefined;
  }

  private async delete({ run }: WholeRun): Promise<undefined> {
    const { client } = this.ground;
    const path = `/runs/${this.id}/`;
    expect(await client.ask('DELETE', path)).toEqual(run);
    for (const [method, body] of [['GET'], ['DELETE'], ['PUT', { status: 'cancelled' }]] as const)
      expect((await client.answer(method, path, body)).status).toBe(404);
    expect((await client.all<PipelineRun>('/runs/')).filter(({ id }) => id === this.id)).toEqual([]);
    return undefined;
  }

  private async restart(before: WholeRun): Promise<Walk> {
    const { client } = this.ground;
    const next = await client.start(this.pipeline);
    expect(next.run_number).toBe(before.run.run_number + 1);
    expect(still(await client.whole(this.id))).toEqual(still(before));
    return this.again(next.id);
  }

  /** What may happen now beside what users do. */
  get happenings(): string[] {
    const { model } = this;
    const { busy, unheard } = model.surroundings;
    const active = model.stages.find(({ isActive }) => isActive);
    const answers = this.answering.length > 0;
    return [
      ...(answers ? ['end', 'end', 'end'] : []),
      ...(active && !active.isApproved && !active.ending ? ['approve'] : []),
      ...(busy ? ['free'] : []),
      ...(unheard ? ['hear'] : []),
      ...(model.held === model.status ? ['let go'] : []),
      ...(model.isOver ? [] : ['run time']),
      ...(active ? ['stage time', ...(active.ending ? [] : ['close'])] : []),
    ];
  }

  private get answering(): { stage: number; device: number }[] {
    return this.model.stages.flatMap(({ devices }, stage) =>
      devices.flatMap((one, device) => (one.isInFlight && one.current.is('running') ? [{ stage, device }] : [])),
    );
  }

  /** Lets it happen. `pick`: draws one of several. */
  async happen(what: string, ending: Ending, pick: <T>(some: readonly T[]) => T): Promise<void> {
    const { model, ground, seen: before } = this;
    const at = model.stages.findIndex(({ isActive }) => isActive);
    const stage = model.stages[at]!;
    const stageRun = before.stages[at]?.stageRun.id;
    const soon = `UPDATE job_planner.pipeline_run SET due_at = now() WHERE id = $1`;
    switch (what) {
      case 'end':
        await this.end(pick(this.answering), ending, before);
        break;
      case 'approve': {
        await approve(ground.client, stageRun!);
        stage.isApproved = true;
        break;
      }
      case 'free':
      case 'hear':
        await this.clear();
        break;
      case 'let go':
        await this.clear();
        await ground.database.query(soon, [this.id]);
        break;
      case 'run time':
        await ground.database.query(`UPDATE job_planner.pipeline_run SET deadline = now() WHERE id = $1`, [this.id]);
        await ground.database.query(soon, [this.id]);
        model.timeOut();
        await this.noticed(
          `pipeline_run WHERE id = $1 AND wish = 'run' AND state <> 'complete' AND ended_at IS NULL`,
          this.id,
        );
        if (stageRun) await this.noticed(UNSTOPPED, stageRun);
        break;
      case 'stage time':
        await ground.database.query(`UPDATE job_planner.stage_run SET deadline = now() WHERE id = $1`, [stageRun]);
        await ground.database.query(soon, [this.id]);
        stage.stop('timeout');
        await this.noticed(UNSTOPPED, stageRun!);
        break;
      case 'close':
        await ground.database.query(
          `UPDATE job_planner.rollout SET spec = spec || '{"end_at":"2020-01-01T00:00:00Z"}', due_at = now() WHERE id = $1`,
          [stageRun],
        );
        stage.close();
    }
    model.settle();
    await this.settled();
  }

  /** Waits until there is no such row any more: that time is up shows in no document while a device has yet to answer. */
  private async noticed(rows: string, id: string): Promise<void> {
    const left = async () => (await this.ground.database.query(`SELECT FROM job_planner.${rows}`, [id])).rowCount;
    await expect.poll(left, PATIENCE).toBe(0);
  }

  private async end(
    { stage, device }: { stage: number; device: number },
    ending: Ending,
    { stages }: WholeRun,
  ): Promise<void> {
    const { devices, database } = this.ground;
    const own = this.model.stages[stage]!;
    const model = own.devices[device]!;
    const { command_id } = stages[stage]!.targetRuns[device * model.targets.length + model.step]!;
    const isStopping = model.part === 'stopping';
    const open = () => devices.underWay.find((one) => one.command_id === command_id && one.cancelled === isStopping);
    await expect.poll(open, PATIENCE).toBeDefined();
    const command = open()!;
    const word = ending === 'cancelled' && !isStopping ? 'timeout' : ending;
    if (word === 'timeout') {
      devices.forget(command);
      // Time passes: its deadline does.
      const { rowCount } = await database.query(
        `UPDATE command_dispatcher.command SET deadline = now(), due_at = now() WHERE id = $1 AND deadline IS NOT NULL`,
        [command_id],
      );
      expect(rowCount).toBe(1);
    } else if (word === 'cancelled') devices.end(command, 'failure', 'cancelled');
    else devices.end(command, word);
    own.end(model, word === 'timeout' && isStopping ? 'cancelled' : word);
  }

  /** Nothing keeps it any more. */
  async clear(): Promise<void> {
    await this.ground.held.letGo();
    for (const command of this.isBusyWith) this.ground.devices.end(command, 'success');
    this.isBusyWith = [];
    Object.assign(this.model.surroundings, { busy: false, unheard: false });
    this.model.held = undefined;
  }

  /** The statuses that each of its things had, by their ids. */
  get paths(): Map<string, readonly string[]> {
    const { stages } = this.model;
    return new Map<string, readonly string[]>([
      [this.id, this.model.path],
      ...this.seen.stages.flatMap(({ stageRun, targetRuns }, at) => {
        const targets = stages[at]!.devices.flatMap((device) => device.targets);
        return [
          [stageRun.id, stages[at]!.path] as const,
          ...targetRuns.map(({ id }, place) => [id, targets[place]!.path] as const),
        ];
      }),
    ]);
  }
}

/** It without what its rollouts note when they look at what they wait for. */
const still = ({ run, stages }: WholeRun) => ({
  run: { ...run, progress: { ...run.progress, ...MOVING } },
  stages: stages.map(({ stageRun: { progress, ...document }, targetRuns }) => {
    return { ...document, targetRuns, progress: progress && { ...progress, ...MOVING } };
  }),
});

/** What the engine finds out by itself, and what time alone changes. */
const MOVING = { waiting_for: null, wave: null, rate_per_second: 0, eta: null };

/** A stage run that goes on although it is to stop. */
const UNSTOPPED = 'stage_run WHERE id = $1 AND ending IS NULL AND ended_at IS NULL';

const TEXT = expect.any(String) as string;
const LIST = expect.any(Array) as unknown[];

const statusOf = ({ action }: Try) => (action === 'cancel command' ? 'request_status' : 'status');

function documentOf({ run, stages }: WholeRun, underWay: readonly OpenCommand[]): RunModel['document'] {
  const commands = new Set(stages.flatMap(({ targetRuns }) => targetRuns.map(({ command_id }) => command_id)));
  return {
    status: run.status,
    waits: run.status_meta.waits,
    cancelling: underWay.filter(({ command_id, cancelled }) => cancelled && commands.has(command_id)).length,
    stages: stages.map(({ stageRun, targetRuns }) => ({
      status: stageRun.status,
      targets: targetRuns.map(({ status, command_status }) => [status, command_status]),
    })),
  };
}

/** Has every device work on a command of a user, which it ends when it is told to. */
async function occupied({ client, devices }: Ground): Promise<OpenCommand[]> {
  const request = { command: 'PING', devices: devices.ids };
  await client.stack.api('POST', '/api/commands/v0/commands/', request);
  await expect.poll(() => devices.underWay.length, PATIENCE).toBe(devices.ids.length);
  return devices.underWay;
}

async function approve({ stack }: PipelinesClient, stageRun: string): Promise<void> {
  const asked = async () => {
    const path = '/api/v1/approvals?state=pending&limit=1000';
    const { body } = await stack.api<{ approvals: { id: string; subject: { id: string } }[] }>('GET', path);
    return body.approvals.find(({ subject }) => subject.id === stageRun);
  };
  await expect.poll(asked, PATIENCE).toBeDefined();
  const { status } = await stack.api('POST', `/api/v1/approvals/${(await asked())!.id}`, { decision: 'approve' });
  expect(status).toBe(200);
}
