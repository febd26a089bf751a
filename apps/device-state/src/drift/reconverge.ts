import { BATCH_SIZE, CONVERGE, type Rollout } from '@muster/contracts';
import { Journal, type Tx } from '@muster/journal';
import { scheduleFaults } from '@muster/schedule';
import { LOGGER, Loop, type Logger } from '@muster/service';
import { Inject, Injectable, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import { v7 as uuid } from 'uuid';
import { OperationCreate } from '../operations/operation.create.js';
import { judgeDrift, type Source } from './reconverge.decide.js';
import { ReconvergeStore, type LookedAt, type SourceRow } from './reconverge.store.js';

const SWEEP_MS = 500;

/**
 * Converges again what drifted from an operation that wants it so: the drifts of a batch that go back to one operation become one new
 * operation, made in the transaction that notes it in them.
 */
@Injectable()
export class Reconverge implements OnApplicationBootstrap, OnApplicationShutdown {
  private readonly sweep: Loop;

  constructor(
    private readonly journal: Journal,
    private readonly store: ReconvergeStore,
    private readonly operations: OperationCreate,
    @Inject(LOGGER) logger: Logger,
  ) {
    this.sweep = new Loop('reconverge sweep', SWEEP_MS, () => this.step(), logger);
  }

  onApplicationBootstrap(): void {
    this.sweep.start();
  }

  onApplicationShutdown(): Promise<void> {
    return this.sweep.stop();
  }

  /** Looks at up to {@link BATCH_SIZE} due drifts of each project. @returns whether there may be more. */
  async step(): Promise<boolean> {
    let more = false;
    for (const project of await this.store.dueProjects()) {
      const taken = await this.journal.transaction(project, (tx) => this.stepIn(tx));
      more ||= taken === BATCH_SIZE;
    }
    return more;
  }

  private async stepIn(tx: Tx): Promise<number> {
    const due = await this.store.takeDue(tx);
    const lasts = await this.store.lastConverges(
      tx,
      due.map(({ device_id }) => device_id),
    );
    const lastOf = new Map(lasts.map((last) => [last.device_id, last]));
    const sourceIds = new Set(lasts.map(({ source_id, operation_id }) => source_id ?? operation_id));
    const now = Date.now();
    const rows = await this.store.sources(tx, [...sourceIds]);
    const sources = new Map(rows.map((row) => [row.id, { row, facts: factsOf(row, now) }]));

    const looked: LookedAt[] = [];
    const again: LookedAt[] = [];
    for (const drift of due) {
      const last = lastOf.get(drift.device_id);
      const source = last && sources.get(last.source_id ?? last.operation_id);
      const verdict = judgeDrift(drift, last, source?.facts, now);
      if (verdict.do === 'converge')
        again.push({
          ...drift,
          source_id: source!.row.id,
          attempts: verdict.attempts,
          window_start: verdict.window_start,
          again: true,
        });
      else
        looked.push({
          ...drift,
          ...(verdict.do === 'leave' && { reason: verdict.reason }),
          again: verdict.do === 'wait',
        });
    }
    for (const [id, drifts] of Map.groupBy(again, ({ source_id }) => source_id!))
      looked.push(...(await this.convergeAgain(tx, sources.get(id)!.row, drifts, now)));

    const reasons = new Map(due.map(({ id, reason }) => [id, reason]));
    const decided = looked.filter(({ id, reason }) => reasons.get(id) !== reason);
    await this.store.note(
      tx,
      looked,
      Map.groupBy(decided, ({ reason }) => reason),
    );
    return due.length;
  }

  /** The drifts as they are now: they know the operation that converges them. */
  private async convergeAgain(tx: Tx, source: SourceRow, drifts: LookedAt[], now: number): Promise<LookedAt[]> {
    const { schedule_type, schedule_args, console_timezone, created_by, rollout } = source;
    const id = uuid();
    const { reconverge: _rule, ...rest } = source.arguments;
    await this.operations.add(
      tx,
      {
        ...{ id, operation: CONVERGE, schedule_type, schedule_args, console_timezone, created_by },
        query: { ids: drifts.map(({ device_id }) => device_id) },
        rollout: rollout && sameWay(rollout),
        arguments: rest,
        purpose: `converges again what drifted from operation ${source.id}`,
        source_id: source.id,
      },
      now,
    );
    return drifts.map((drift) => ({ ...drift, repetition_id: id, reason: `converged again by operation ${id}` }));
  }
}

/** What holds for each device of a rollout whenever its turn comes, without what speaks of all of them and of the first time. */
function sameWay(rollout: Rollout): Rollout {
  const { waves: _w, abort: _a, ramp: _r, start_at: _s, supersedes: _u, ...rest } = rollout;
  return rest;
}

const factsOf = ({ id, state, rule, ...source }: SourceRow, now: number): Source => ({
  id,
  cancelled: state === 'CANCELLED',
  rule,
  over:
    scheduleFaults(source.schedule_type, source.schedule_args, source.console_timezone, now).length > 0 ||
    (source.rollout?.end_at !== undefined && Date.parse(source.rollout.end_at) <= now),
});
