import type { RunState } from '@muster/contracts';
import { Journal, type Tx } from '@muster/journal';
import { isEnd } from '@muster/lifecycle';
import { inSpan, traceContext } from '@muster/messaging';
import type { RunnerKey } from '@muster/service';
import { Injectable } from '@nestjs/common';
import { SpanKind } from '@opentelemetry/api';
import { RolloutStore } from '../rollout/rollout.store.js';
import { want } from '../rollout/rollout.wish.js';
import { RolloutWake } from '../rollout/rollout.wake.js';
import { commandOf } from '../stage-runs/stage.command.js';
import { NO_OPERATION } from '../stage-runs/stage-run.lifecycle.js';
import { stageRunTable } from '../stage-runs/stage-run.table.js';
import { pipelineRunLifecycle } from './pipeline-run.lifecycle.js';
import { pipelineRunTable, TELL_AT } from './pipeline-run.table.js';
import { nextRunStep, type RunStep, type RunWish } from './run.decide.js';
import { RunStore, type LockedRun, type StageOfRun } from './run.store.js';

/** A step that was taken, and what it was decided on. */
interface Taken {
  run: LockedRun;
  stages: readonly StageOfRun[];
  step: RunStep;
}

/** Why a run comes to its next state. */
const WHY: Readonly<Record<RunWish, string>> = { run: '', cancel: 'cancelled', time_out: 'its time was up' };

/** Carries out the steps of a run, each in a transaction of its own that holds its lock. */
@Injectable()
export class RunAdvance {
  constructor(
    private readonly journal: Journal,
    private readonly runs: RunStore,
    private readonly rollouts: RolloutStore,
    private readonly wake: RolloutWake,
  ) {}

  /** Takes steps until the run has to wait for others. */
  async advance(key: RunnerKey): Promise<void> {
    for (const stage of await this.runs.lateStages(key)) await this.stopStage(key, stage, 'timeout');
    for (;;) {
      const taken = await this.step(key);
      if (!taken || taken.step.do === 'wait') return;
      if (taken.step.do !== 'stop_stage') continue;
      const as = taken.run.wish === 'time_out' ? 'timeout' : 'cancelled';
      return this.stopStage(key, taken.stages[taken.step.stage]!.id, as);
    }
  }

  private step({ project_id, id }: RunnerKey): Promise<Taken | undefined> {
    return this.journal.transaction(project_id, async (tx) => {
      const run = await this.runs.lock(tx, id);
      if (!run) return undefined;
      const stages = await this.runs.stages(tx, id);
      const facts = stages.map(({ state, meta, paused }) => ({ state, paused, ...meta }));
      const step = nextRunStep({ ...run, stages: facts });
      await inSpan('run step', SpanKind.INTERNAL, traceContext(run.traceparent), () =>
        this.take(tx, run, stages, step),
      );
      return { run, stages, step };
    });
  }

  private async take(tx: Tx, run: LockedRun, stages: readonly StageOfRun[], step: RunStep): Promise<void> {
    switch (step.do) {
      case 'enter':
        return this.enter(tx, run.id, step.state, WHY[run.wish]);
      case 'end':
        return this.enter(tx, run.id, step.state, step.reason);
      case 'pause':
        return this.enter(tx, run.id, 'waiting', step.reason);
      case 'time_out':
        return this.runs.save(tx, run.id, { wish: 'time_out' }, null);
      case 'skip': {
        const ids = stages.filter(({ state }) => state === 'pending').map(({ id }) => id);
        await tx.transition(stageRunTable, step.as, {
          ids,
          from: ['pending'],
          set: { reason: step.reason },
          compute: { updated_at: 'now()', ended_at: 'now()' },
        });
        return;
      }
      case 'start_stage':
        return this.startStage(tx, run, stages[step.stage]!);
      case 'stop_stage':
      case 'wait':
    }
  }

  private async enter(tx: Tx, id: string, to: RunState, reason: string): Promise<void> {
    const ends = isEnd(pipelineRunLifecycle, to);
    await tx.transition(pipelineRunTable, to, {
      ids: [id],
      // It may have been told to wait after its last stage had begun.
      set: { reason, ...(ends && { due_at: null, waits: false }) },
      compute: {
        updated_at: 'now()',
        tell_at: TELL_AT,
        ...(to === 'running' && { started_at: 'coalesce(t.started_at, now())' }),
        ...(ends && { ended_at: 'now()' }),
      },
    });
  }

  private async startStage(tx: Tx, run: LockedRun, { id, meta, operations }: StageOfRun): Promise<void> {
    await tx.transition(stageRunTable, 'queued', { ids: [id], compute: { updated_at: 'now()' } });
    await tx.transition(stageRunTable, 'processing', {
      ids: [id],
      compute: { updated_at: 'now()', deadline: `now() + interval '${meta.timeout_seconds} seconds'` },
    });
    if (operations === 0) {
      await tx.transition(stageRunTable, 'invalid', {
        ids: [id],
        set: { reason: NO_OPERATION, deadline: null },
        compute: { updated_at: 'now()', ended_at: 'now()' },
      });
      return;
    }
    await this.runs.lookBy(tx, run.id, meta.timeout_seconds);
    const asked = await this.runs.operations(tx, id);
    await this.rollouts.create(tx, {
      id,
      family: 'stage-run',
      spec: meta.rollout,
      command: commandOf(asked.map(({ command }) => command)),
      args: { operations: asked },
      traceparent: run.traceparent,
    });
    tx.afterCommit(() => this.wake.wake({ project_id: tx.project, id }));
  }

  /** Has a stage's rollout come to rest; what its stage run ends as follows from there. */
  async stopStage({ project_id }: RunnerKey, id: string, as: 'cancelled' | 'timeout'): Promise<void> {
    await this.journal.transaction(project_id, async (tx) => {
      const rollout = await this.rollouts.lock(tx, id);
      // All of its devices may have ended before the lock was there.
      if (rollout?.row.at_rest && rollout.row.wish !== 'pause') return;
      await this.runs.endStageAs(tx, id, as);
      if (!rollout || rollout.row.wish === 'cancel') return;
      const reason = as === 'timeout' ? 'its time was up' : 'cancelled';
      want(rollout, 'cancel', reason);
      await rollout.save(tx);
    });
    this.wake.wake({ project_id, id });
  }
}
