import { BATCH_SIZE, commandWork, stageRunEntity, type JsonObject, type StageRunState } from '@muster/contracts';
import { batch, type Created, type Tx } from '@muster/journal';
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
import { ended } from '../rollout/tally.js';
import { FIRST_ASK_AT } from '../rollout/target.store.js';
import { UNDER_WAY } from '../rollout/target.table.js';
import { RunWake } from '../runs/run.wake.js';
import { TargetRunMoves, type TargetRunEnd } from '../target-runs/target-run.moves.js';
import { targetRunTable } from '../target-runs/target-run.table.js';
import { stageTargets } from './stage-device.table.js';
import { StageRunEntity } from './stage-run.entity.js';
import { NO_DEVICE } from './stage-run.lifecycle.js';
import { stageRunTable } from './stage-run.table.js';
import { devicesAtOnce } from './stage.portion.js';
import { StageTargets } from './stage.targets.js';

/** An operation, as the rollout of a stage run keeps it. */
interface Operation {
  id: string;
  command: string;
  args: JsonObject;
}

/** The part of a device whose command has come to an end. */
interface Standing {
  id: string;
  state: string;
  waits_for: string;
  place: number;
  step: number;
  target_run_id: string;
  device_id: string;
  next_id: string | null;
  next_state: string | null;
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
    const { meta, pipeline_run_id } = await this.stageRun(tx, id);
    const [run] = await tx.query<{ started_by: string }>(
      `SELECT started_by FROM pipeline_run WHERE project_id = $1 AND id = $2`,
      [tx.project, pipeline_run_id],
    );
    return { entity: stageRunEntity.name, id, name: meta.name, requested_by: run!.started_by };
  }

  async placed(tx: Tx, rollout: LockedRollout, parts: readonly Created[]): Promise<void> {
    if (parts.length === 0) return;
    const operations = operationsOf(rollout.row);
    const { created_by } = await this.stageRun(tx, rollout.id);
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
          device_alias: all((row) => row['device_alias']),
          created_by: all(({ added_by }) => added_by ?? created_by),
          updated_by: all(({ added_by }) => added_by ?? created_by),
        },
        { through: step === 0 ? ['queued'] : [] },
      );
    }
    await this.moveTo(tx, [...firsts]);
  }

  async released(tx: Tx, _rollout: LockedRollout, parts: readonly UnderWay[]): Promise<void> {
    const current = await this.current(
      tx,
      parts.map(({ id }) => id),
    );
    const runs = parts.map(({ id, command_id }) => ({
      id: current.get(id)!.run,
      command_id,
      attempts: current.get(id)!.attempts,
    }));
    await this.runs.request(tx, runs);
  }

  async stepped(tx: Tx, _rollout: LockedRollout, steps: readonly Step[]): Promise<void> {
    const current = await this.current(
      tx,
      steps.map(({ ref }) => ref),
    );
    const runsOf = (fits: (step: Step['step']) => boolean) =>
      steps.flatMap(({ ref, command_id, step }) => {
        const part = current.get(ref);
        return part?.command_id === command_id && fits(step) ? [part.run] : [];
      });
    await this.runs.dispatch(
      tx,
      runsOf((step) => step === 'QUEUED' || step === 'HELD'),
    );
    for (const word of ['INITIATED', 'ACKNOWLEDGED', 'INPROGRESS'] as const) {
      const ids = runsOf((step) => step === word);
      if (ids.length > 0) await this.runs.run(tx, ids, word);
    }
  }

  async goOn(tx: Tx, rollout: LockedRollout, ends: readonly (End & Outcome)[]): Promise<readonly (End & Outcome)[]> {
    const last = operationsOf(rollout.row).length - 1;
    const well = ends.filter(({ end }) => end === 'succeeded');
    if (last === 0 || well.length === 0) return ends;
    const standing = await this.standing(tx, well);
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
    await tx.query(
      `UPDATE stage_device t SET step = t.step + 1, target_run_id = i.run, command_id = NULL, attempts = 0, asks = 0, waits_for = '', ask_at = NULL,
         contact_by = NULL, outcome = NULL
       FROM ${batch(['$2::uuid[]', '$3::uuid[]'], ['id', 'run'])} WHERE t.project_id = i.project_id AND t.id = i.id`,
      [tx.project, parts.map(({ id }) => id), parts.map(({ next_id }) => next_id)],
    );
    const offline = parts.filter(({ waits_for }) => waits_for === 'offline').map(({ place }) => place);
    rollout.count({ offline: -offline.length, pending: offline.length });
    noteInWaves(rollout, offline, 'offline', -1);
  }

  /** Devices whose operation succeeded begin the next one. */
  private async next(tx: Tx, rollout: LockedRollout, parts: readonly Standing[]): Promise<void> {
    const rows = await tx.query<UnderWay>(
      `WITH going AS (
         UPDATE stage_device t SET step = t.step + 1, target_run_id = i.run, command_id = i.command, attempts = 1, asks = 0,
           releases = t.releases + 1, ask_at = ${FIRST_ASK_AT},
           contact_by = CASE WHEN t.contact_by IS NOT NULL THEN now() + make_interval(secs => $5) END, outcome = NULL
         FROM ${batch(['$2::uuid[]', '$3::uuid[]', '$4::uuid[]'], ['id', 'run', 'command'])}
         WHERE t.project_id = i.project_id AND t.id = i.id
         RETURNING t.id, ${[...UNDER_WAY, ...stageTargets.item].map((name) => `t.${name}`).join(', ')}
       )
       SELECT * FROM going`,
      [
        tx.project,
        parts.map(({ id }) => id),
        parts.map(({ next_id }) => next_id),
        parts.map(() => uuid()),
        offlineSeconds(rollout.row.spec),
      ],
    );
    request(tx, rollout, this, rows);
    await this.released(tx, rollout, rows);
  }

  async triedAgain(tx: Tx, _rollout: LockedRollout, parts: readonly EndedPart[]): Promise<void> {
    const current = await this.current(
      tx,
      parts.map(({ id }) => id),
    );
    await this.runs.endTry(tx, endsOf(parts, current));
  }

  async finished(tx: Tx, rollout: LockedRollout, parts: readonly EndedPart[]): Promise<void> {
    if (parts.length === 0) return;
    const current = await this.current(
      tx,
      parts.map(({ id }) => id),
    );
    const timesOut = (await this.stageRun(tx, rollout.id)).ending === 'timeout';
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
    const rows = await tx.query<{ id: string }>(
      `SELECT r.id FROM ${batch(['$2::uuid[]'], ['stage_device_id'])} JOIN target_run r USING (project_id, stage_device_id)
       WHERE r.state IN ('pending', 'queued', 'processing', 'dispatched', 'running')`,
      [tx.project, parts.map(({ id }) => id)],
    );
    const reason = to === 'invalid' ? 'an operation before it did not succeed' : (parts[0]?.reason ?? '');
    for (let at = 0; at < rows.length; at += BATCH_SIZE) {
      const some = rows.slice(at, at + BATCH_SIZE).map(({ id }) => id);
      await this.runs.giveUp(tx, some, to, reason);
    }
  }

  async began(tx: Tx, { id }: LockedRollout): Promise<void> {
    await this.enter(tx, id, 'running', '');
  }

  stopping(): Promise<void> {
    return Promise.resolve();
  }

  async rested(tx: Tx, rollout: LockedRollout): Promise<void> {
    const { id, row } = rollout;
    const { ending, pipeline_run_id } = await this.stageRun(tx, id);
    if (row.wish !== 'pause') await this.enter(tx, id, ending ?? 'cancelled', row.reason);
    this.wakeRun(tx, pipeline_run_id);
  }

  async ended(tx: Tx, { id, row }: LockedRollout): Promise<void> {
    const { pipeline_run_id } = await this.stageRun(tx, id);
    if (row.placed === 0) await this.enter(tx, id, 'invalid', NO_DEVICE);
    else {
      if (!row.began_at) await this.enter(tx, id, 'running', '');
      await this.enter(tx, id, 'complete', '');
      const others = ended(row) - row.succeeded;
      await this.enter(
        tx,
        id,
        others === 0 ? 'success' : 'failure',
        others === 0 ? '' : `${others} of ${ended(row)} devices did not succeed`,
      );
    }
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

  private async stageRun(tx: Tx, id: string): Promise<StageRunEntity> {
    const [row] = await tx.query<StageRunEntity>(`SELECT * FROM stage_run WHERE project_id = $1 AND id = $2`, [
      tx.project,
      id,
    ]);
    return row!;
  }

  /** Notes which target run each of these parts is at. */
  private async moveTo(tx: Tx, runs: readonly (readonly [part: string, run: string])[]): Promise<void> {
    await tx.query(
      `UPDATE stage_device t SET target_run_id = i.run FROM ${batch(['$2::uuid[]', '$3::uuid[]'], ['id', 'run'])}
       WHERE t.project_id = i.project_id AND t.id = i.id`,
      [tx.project, runs.map(([part]) => part), runs.map(([, run]) => run)],
    );
  }

  /** The target run that each of these parts is at. */
  private async current(
    tx: Tx,
    parts: readonly string[],
  ): Promise<Map<string, { run: string; command_id: string | null; attempts: number }>> {
    const rows = await tx.query<{ id: string; run: string; command_id: string | null; attempts: number }>(
      `SELECT t.id, t.target_run_id AS run, t.command_id, t.attempts
       FROM ${batch(['$2::uuid[]'], ['id'])} JOIN stage_device t USING (project_id, id)`,
      [tx.project, [...new Set(parts)]],
    );
    return new Map(rows.map((row) => [row.id, row]));
  }

  /** Of the parts whose command is the one named: where they are, and what follows. */
  private async standing(tx: Tx, ends: readonly End[]): Promise<Map<string, Standing>> {
    const rows = await tx.query<Standing & Record<string, unknown>>(
      `SELECT t.id, t.state, t.waits_for, t.place, t.step, t.target_run_id, t.device_id, n.id AS next_id, n.state AS next_state
       FROM ${batch(['$2::uuid[]', '$3::uuid[]'], ['id', 'command'])} JOIN stage_device t USING (project_id, id)
       LEFT JOIN target_run n ON n.project_id = t.project_id AND n.stage_device_id = t.id AND n.step = t.step + 1
       WHERE t.command_id = i.command`,
      [tx.project, ends.map(({ ref }) => ref), ends.map(({ command_id }) => command_id)],
    );
    return new Map(rows.map((row) => [row.id, row]));
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
