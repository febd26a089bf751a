import { BATCH_SIZE, commandWork, stageRunEntity, type JsonObject, type StageRunState } from '@muster/contracts';
import type { Created, Tx } from '@muster/journal';
import { Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { v7 as uuid } from 'uuid';
import type { Subject } from '../approvals/approvals.js';
import type { Ask, EndedPart, Family, Part, Step, TargetPage } from '../rollout/family.js';
import type { LockedRollout } from '../rollout/locked-rollout.js';
import { offlineSeconds, request, type UnderWay } from '../rollout/rollout.ask.js';
import type { RolloutEntity } from '../rollout/rollout.entity.js';
import type { End, Outcome } from '../rollout/rollout.outcomes.js';
import { noteInWaves } from '../rollout/rollout.waves.js';
import { shortfall } from '../rollout/tally.js';
import { RunWake } from '../runs/run.wake.js';
import { TargetRunMoves, type TargetRunEnd } from '../target-runs/target-run.moves.js';
import { targetRunTable } from '../target-runs/target-run.table.js';
import { stageTargets } from './stage-device.table.js';
import { StageRunEntity } from './stage-run.entity.js';
import { NO_DEVICE } from './stage-run.lifecycle.js';
import { stageRunTable } from './stage-run.table.js';
import { devicesAtOnce } from './stage.portion.js';
import { StageStore, type Current, type Standing } from './stage.store.js';
import { StageTargets } from './stage.targets.js';

/** An operation, as the rollout of a stage run keeps it. */
interface Operation {
  id: string;
  command: string;
  args: JsonObject;
}

/** What a command came to, in its own words. */
const COMMAND_STATUS = {
  succeeded: 'SUCCESS',
  failed: 'FAILURE',
  rejected: 'FAILURE',
  timed_out: 'TIMEOUT',
  never_contacted: 'TIMEOUT',
  unknown: 'SUCCESS',
  cancelled: 'CANCELLED',
} as const;

/**
 * Stages of pipelines as rollouts: a device carries out the operations of the stage one after the other, and holds its slot for all of them. What
 * does not succeed keeps it from those that follow.
 */
@Injectable()
export class StageFamily implements Family {
  readonly name = 'stage-run';
  readonly table = stageTargets;
  readonly work = commandWork;
  readonly canPause = true;
  readonly repeats = true;
  readonly hearsSteps = true;

  constructor(
    private readonly dataSource: DataSource,
    private readonly stages: StageStore,
    private readonly targets: StageTargets,
    private readonly runs: TargetRunMoves,
    private readonly wake: RunWake,
  ) {}

  partsAtOnce(rollout: RolloutEntity): number {
    return devicesAtOnce(operationsOf(rollout).length);
  }

  async page(rollout: RolloutEntity): Promise<TargetPage | undefined> {
    const { project_id, id } = rollout;
    const stageRun = await this.dataSource.getRepository(StageRunEntity).findOneBy({ project_id, id });
    return stageRun ? this.targets.page(rollout, stageRun, this.partsAtOnce(rollout)) : undefined;
  }

  // A stage has no way back: its rollout is refused where it asks for one.
  before(): Promise<ReadonlyMap<string, JsonObject>> {
    return Promise.resolve(new Map());
  }

  ask(rollout: RolloutEntity, { step }: Part): Ask {
    const { id, command, args } = operationsOf(rollout)[step as number]!;
    return { request_id: id, command, args, own: {} };
  }

  async subject(tx: Tx, { id }: LockedRollout): Promise<Subject> {
    const { meta, pipeline_run_id } = await this.stages.stageRun(tx, id);
    const requested_by = await this.stages.starterOf(tx, pipeline_run_id);
    return { entity: stageRunEntity.name, id, name: meta.name, requested_by };
  }

  async placed(tx: Tx, rollout: LockedRollout, parts: readonly Created[]): Promise<void> {
    if (parts.length === 0) return;
    const operations = operationsOf(rollout.row);
    const { created_by } = await this.stages.stageRun(tx, rollout.id);
    const firsts = new Map<string, string>();
    for (const [step, { id: operation }] of operations.entries()) {
      const ids = parts.map(() => uuid());
      const all = <T>(value: (row: Part) => T) => parts.map(({ row }) => value(row));
      if (step === 0) for (const [index, { id }] of parts.entries()) firsts.set(id, ids[index]!);
      await tx.create(
        targetRunTable,
        {
          id: ids,
          stage_run_id: all(() => rollout.id),
          stage_device_id: parts.map(({ id }) => id),
          stage_run_operation_id: all(() => operation),
          step: all(() => step),
          target_id: all((row) => row['list_target_id']),
          device_id: all((row) => row['device_id']),
          timezone: all((row) => row['timezone']),
          device_alias: all((row) => row['device_alias']),
          created_by: all(({ added_by }) => added_by ?? created_by),
          updated_by: all(({ added_by }) => added_by ?? created_by),
        },
        { through: step === 0 ? ['queued'] : [] },
      );
    }
    await this.stages.moveTo(tx, [...firsts]);
  }

  async released(tx: Tx, _rollout: LockedRollout, parts: readonly UnderWay[]): Promise<void> {
    const current = await this.stages.current(tx, parts);
    const runs = parts.map(({ id, command_id }) => ({
      id: current.get(id)!.run,
      command_id,
      attempts: current.get(id)!.attempts,
    }));
    await this.runs.request(tx, runs);
  }

  async stepped(tx: Tx, _rollout: LockedRollout, steps: readonly Step[]): Promise<void> {
    const current = await this.stages.current(
      tx,
      steps.map(({ ref }) => ({ id: ref })),
    );
    const runsOf = (fits: (step: Step['step'], part: Current) => boolean) =>
      steps.flatMap(({ ref, command_id, step }) => {
        const part = current.get(ref);
        return part?.command_id === command_id && fits(step, part) ? [part.run] : [];
      });
    // What was stopped before it was known to wait is cancelled, unless its device was sent it.
    const waits = runsOf((step, { state }) => (step === 'QUEUED' || step === 'HELD') && state !== 'Stopping');
    await this.runs.dispatch(tx, waits);
    for (const word of ['INITIATED', 'ACKNOWLEDGED', 'INPROGRESS'] as const) {
      const ids = runsOf((step) => step === word);
      if (ids.length > 0) await this.runs.run(tx, ids, word);
    }
  }

  async goOn(tx: Tx, rollout: LockedRollout, ends: readonly (End & Outcome)[]): Promise<readonly (End & Outcome)[]> {
    const last = operationsOf(rollout.row).length - 1;
    const well = ends.filter(({ end }) => end === 'succeeded');
    if (last === 0 || well.length === 0) return ends;
    const standing = await this.stages.standing(tx, well);
    // One word may come twice in a message, and moves the counts once.
    const further = well.filter(({ ref }) => (standing.get(ref)?.step ?? last) < last);
    const done = [...new Map(further.map((one) => [one.ref, one])).values()];
    if (done.length === 0) return ends;
    // What a device did counts, also where it is not to do more.
    const runs = done.map(({ ref, reason, code }) => {
      return { id: standing.get(ref)!.target_run_id, command_status: COMMAND_STATUS.succeeded, reason, code };
    });
    await this.runs.complete(tx, runs, 'success');
    // Of a stage that is being stopped nothing begins, also where the cancel of a device's command has yet to come.
    const isStopped = rollout.row.wish === 'cancel';
    const parts = isStopped
      ? []
      : done.map(({ ref }) => standing.get(ref)!).filter(({ next_state }) => next_state === 'pending');
    const running = parts.filter(({ state }) => state === 'Running');
    const waiting = parts.filter(({ state }) => state === 'Waiting');
    if (running.length > 0) await this.next(tx, rollout, running);
    if (waiting.length > 0) await this.waitForNext(tx, rollout, waiting);
    const isGoing = new Set([...running, ...waiting].map(({ id }) => id));
    const stops = new Set(done.map(({ ref }) => ref));
    return ends
      .filter(({ ref }) => !isGoing.has(ref))
      .map((one) =>
        // What follows was cancelled, or all of it is being so.
        stops.has(one.ref) ? { ...one, end: 'cancelled', reason: 'cancelled before its next operation' } : one,
      );
  }

  /** Devices that were thought to be offline, and did their operation all the same, wait for a slot for the next one. */
  private async waitForNext(tx: Tx, rollout: LockedRollout, parts: readonly Standing[]): Promise<void> {
    await this.stages.waitForNext(tx, parts);
    const offline = parts.filter(({ waits_for }) => waits_for === 'offline').map(({ place }) => place);
    rollout.count({ offline: -offline.length, pending: offline.length });
    noteInWaves(rollout, offline, 'offline', -1);
  }

  /** Devices whose operation succeeded begin the next one. */
  private async next(tx: Tx, rollout: LockedRollout, parts: readonly Standing[]): Promise<void> {
    const commands = parts.map(() => uuid());
    const rows = await this.stages.goOn(tx, parts, commands, offlineSeconds(rollout.row.spec));
    request(tx, rollout, this, rows);
    await this.released(tx, rollout, rows);
  }

  async triedAgain(tx: Tx, _rollout: LockedRollout, parts: readonly EndedPart[]): Promise<void> {
    const current = await this.stages.current(tx, parts);
    await this.runs.endTry(tx, endsOf(parts, current));
  }

  async finished(tx: Tx, rollout: LockedRollout, parts: readonly EndedPart[]): Promise<void> {
    if (parts.length === 0) return;
    const current = await this.stages.current(tx, parts);
    const timesOut = (await this.stages.stageRun(tx, rollout.id)).ending === 'timeout';
    for (const [end, some] of Map.groupBy(parts, (part) => part.end)) {
      const ends = endsOf(some, current);
      if (timesOut && end === 'cancelled') await this.giveUp(tx, some, 'timeout');
      else if (end === 'cancelled') {
        // What was dispatched came to a failure by the table; what was not, and what follows, was cancelled.
        await this.giveUp(tx, some, 'cancelled');
        await this.runs.complete(tx, ends, 'failure');
      } else {
        await this.runs.complete(tx, ends, end === 'succeeded' ? 'success' : 'failure');
        if (end === 'succeeded') continue;
        // No operation failed of what had no command when the time of the rollout was up.
        const isLate = ({ id }: EndedPart) => end === 'never_contacted' && current.get(id)!.command_id === null;
        for (const [late, those] of Map.groupBy(some, isLate))
          await this.giveUp(tx, those, late ? 'timeout' : 'invalid');
      }
    }
  }

  /** What the devices of these parts have not done of the stage. */
  private async giveUp(tx: Tx, parts: readonly EndedPart[], to: 'cancelled' | 'invalid' | 'timeout'): Promise<void> {
    const ids = await this.stages.openTargetRuns(tx, parts);
    const reason = to === 'invalid' ? 'an operation before it did not succeed' : (parts[0]?.reason ?? '');
    for (let at = 0; at < ids.length; at += BATCH_SIZE)
      await this.runs.giveUp(tx, ids.slice(at, at + BATCH_SIZE), to, reason);
  }

  async began(tx: Tx, { id }: LockedRollout): Promise<void> {
    await this.enter(tx, id, 'running', '');
  }

  stopping(): Promise<void> {
    return Promise.resolve();
  }

  async goesOn(tx: Tx, { id }: LockedRollout): Promise<void> {
    const { pipeline_run_id } = await this.stages.stageRun(tx, id);
    this.wakeRun(tx, pipeline_run_id);
  }

  async rested(tx: Tx, rollout: LockedRollout): Promise<void> {
    const { id, row } = rollout;
    const { ending, pipeline_run_id } = await this.stages.stageRun(tx, id);
    if (row.wish !== 'pause') await this.enter(tx, id, ending ?? 'cancelled', row.reason);
    this.wakeRun(tx, pipeline_run_id);
  }

  async ended(tx: Tx, { id, row }: LockedRollout): Promise<void> {
    const { pipeline_run_id } = await this.stages.stageRun(tx, id);
    const reason = shortfall(row);
    if (row.placed > 0) {
      if (!row.began_at) await this.enter(tx, id, 'running', '');
      await this.enter(tx, id, 'complete', '');
      await this.enter(tx, id, reason === '' ? 'success' : 'failure', reason);
    } else if (row.cut) await this.enter(tx, id, 'timeout', reason);
    else await this.enter(tx, id, 'invalid', NO_DEVICE);
    this.wakeRun(tx, pipeline_run_id);
  }

  bringBack(): Promise<void> {
    throw new Error('a stage has no way back');
  }

  private async enter(tx: Tx, id: string, to: StageRunState, reason: string): Promise<void> {
    const ends = to !== 'running' && to !== 'complete';
    await tx.transition(stageRunTable, to, {
      ids: [id],
      set: { reason, ...(ends && { deadline: null }) },
      compute: {
        updated_at: 'now()',
        ...(to === 'running' && { started_at: 'now()' }),
        ...(ends && { ended_at: 'now()' }),
      },
    });
  }

  private wakeRun(tx: Tx, id: string): void {
    const key = { project_id: tx.project, id };
    tx.afterCommit(() => this.wake.wake(key));
  }
}

/** The ends of the target runs that these parts are at. */
const endsOf = (parts: readonly EndedPart[], current: ReadonlyMap<string, { run: string }>): TargetRunEnd[] =>
  parts.map(({ id, end, reason, code = '' }) => ({
    id: current.get(id)!.run,
    command_status: COMMAND_STATUS[end],
    reason,
    code,
  }));

const operationsOf = ({ args }: Pick<RolloutEntity, 'args'>): Operation[] =>
  (args as { operations: Operation[] }).operations;
