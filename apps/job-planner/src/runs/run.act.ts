import { invalidField, type PipelineRun, type pipelineRuns, type RpcRequest, type StageRun } from '@muster/contracts';
import { Journal, type Tx } from '@muster/journal';
import { isEnd } from '@muster/lifecycle';
import { Injectable } from '@nestjs/common';
import { RolloutStore } from '../rollout/rollout.store.js';
import { RolloutWake } from '../rollout/rollout.wake.js';
import { goOn, want } from '../rollout/rollout.wish.js';
import { stageRunLifecycle } from '../stage-runs/stage-run.lifecycle.js';
import { stageRunTable } from '../stage-runs/stage-run.table.js';
import { pipelineRunLifecycle } from './pipeline-run.lifecycle.js';
import { pipelineRunTable, TELL_AT } from './pipeline-run.table.js';
import { RunAdvance } from './run.advance.js';
import { judgeRun } from './run.decide.js';
import { RunRead } from './run.read.js';
import { RunStore, type StageOfRun } from './run.store.js';
import { RunWake } from './run.wake.js';

type Set = RpcRequest<typeof pipelineRuns.setRun>;

/** What users do to runs. Each action is decided under the run's lock and carried out by its steps. */
@Injectable()
export class RunAct {
  constructor(
    private readonly journal: Journal,
    private readonly runs: RunStore,
    private readonly rollouts: RolloutStore,
    private readonly advance: RunAdvance,
    private readonly read: RunRead,
    private readonly wake: RunWake,
    private readonly rolloutWake: RolloutWake,
  ) {}

  /** @throws DomainError `not_found`, or `invalid` when the run's status does not allow it; nothing changes then. */
  async set({ project_id, id, pipeline_id, status, by }: Set): Promise<PipelineRun> {
    await this.read.run({ project_id, id, pipeline_id });
    await this.journal.transaction(project_id, async (tx) => {
      const run = (await this.runs.lock(tx, id))!;
      const verdict = judgeRun(status, run);
      if (verdict === null) return;
      if (typeof verdict === 'object') throw invalidStatus(verdict.refused);
      if (verdict === 'wait') await this.runs.save(tx, id, { waits: true }, by);
      else if (verdict === 'cancel') await this.runs.save(tx, id, { wish: 'cancel' }, by);
      else {
        const stages = await this.runs.stages(tx, id);
        const next = stages.findIndex(({ state }) => !isEnd(stageRunLifecycle, state));
        await this.runs.save(tx, id, { waits: false, promoted: Math.max(next, run.promoted) }, by);
        if (run.state === 'waiting')
          await tx.transition(pipelineRunTable, 'running', {
            ids: [id],
            compute: { updated_at: 'now()', tell_at: TELL_AT },
          });
        const paused = stages.find((stage) => stage.paused);
        if (paused) await this.resume(tx, paused);
      }
    });
    this.wake.wake({ project_id, id });
    return this.read.run({ project_id, id, pipeline_id });
  }

  private async resume(tx: Tx, { id }: StageOfRun): Promise<void> {
    const rollout = await this.rollouts.lock(tx, id);
    // Who stops a stage locks its rollout alone, and may just have done so.
    if (!rollout?.row.at_rest || rollout.row.wish !== 'pause') return;
    goOn(rollout);
    want(rollout, 'run', '');
    await rollout.save(tx);
    tx.afterCommit(() => this.rolloutWake.wake({ project_id: tx.project, id }));
  }

  /** Cancels one stage run; what the run does then is as if the stage had failed. @throws DomainError `invalid` once it has ended. */
  async cancelStage({
    project_id,
    pipeline_run_id,
    id,
    by,
  }: RpcRequest<typeof pipelineRuns.cancelStageRun>): Promise<StageRun> {
    const before = await this.read.stageRun({ project_id, pipeline_run_id, id });
    if (before.status === 'cancelled') return before;
    const run = { project_id, id: pipeline_run_id };
    const isStopped = await this.journal.transaction(project_id, async (tx) => {
      await this.runs.lock(tx, pipeline_run_id);
      const stage = (await this.runs.stages(tx, pipeline_run_id)).find((one) => one.id === id)!;
      if (isEnd(stageRunLifecycle, stage.state) || stage.state === 'complete')
        throw invalidStatus(`a stage run that is ${stage.state} cannot be set to cancelled`);
      await this.runs.touchStage(tx, id, by);
      const moved = await tx.transition(stageRunTable, 'cancelled', {
        ids: [id],
        from: ['pending'],
        set: { reason: 'cancelled' },
        compute: { ended_at: 'now()' },
      });
      return moved.length > 0;
    });
    if (!isStopped) await this.advance.stopStage(run, id, 'cancelled');
    this.wake.wake(run);
    return this.read.stageRun({ project_id, pipeline_run_id, id });
  }

  /** @throws DomainError `invalid` while it has not ended. */
  async delete({ project_id, id, pipeline_id }: RpcRequest<typeof pipelineRuns.deleteRun>): Promise<PipelineRun> {
    const run = await this.read.run({ project_id, id, pipeline_id });
    if (!isEnd(pipelineRunLifecycle, run.status)) throw invalidStatus(`a run that is ${run.status} cannot be deleted`);
    await this.runs.delete(project_id, id);
    return run;
  }
}

const invalidStatus = (message: string) => invalidField('status', message);
