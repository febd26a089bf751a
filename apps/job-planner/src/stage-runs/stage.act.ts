import {
  DomainError,
  invalidField,
  type pipelineRuns,
  type RpcRequest,
  type TargetRun,
  type TargetRunCommand,
} from '@muster/contracts';
import { Journal, type Tx } from '@muster/journal';
import { isEnd } from '@muster/lifecycle';
import { Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import type { LockedRollout } from '../rollout/locked-rollout.js';
import { RolloutPlan } from '../rollout/rollout.plan.js';
import { RolloutStop } from '../rollout/rollout.stop.js';
import { RolloutStore } from '../rollout/rollout.store.js';
import { RolloutWake } from '../rollout/rollout.wake.js';
import { RunRead } from '../runs/run.read.js';
import { TargetRunMoves } from '../target-runs/target-run.moves.js';
import { StageRunEntity } from './stage-run.entity.js';
import { stageRunLifecycle } from './stage-run.lifecycle.js';
import { StageStore, type PartOf } from './stage.store.js';
import { StageTargets } from './stage.targets.js';

type Contracts = typeof pipelineRuns;

/** What users do to the target runs of a stage run. */
@Injectable()
export class StageAct {
  constructor(
    private readonly dataSource: DataSource,
    private readonly journal: Journal,
    private readonly read: RunRead,
    private readonly rollouts: RolloutStore,
    private readonly plan: RolloutPlan,
    private readonly stop: RolloutStop,
    private readonly stages: StageStore,
    private readonly targets: StageTargets,
    private readonly moves: TargetRunMoves,
    private readonly wake: RolloutWake,
  ) {}

  /**
   * A further device takes part: that of a target of the pipeline, or the one named.
   * @throws DomainError `not_found`, `invalid` where the stage run is not under way or the device does not exist.
   */
  async add({
    project_id,
    stage_run_id,
    target_id: asked,
    device_alias = '',
    by,
  }: RpcRequest<Contracts['addTargetRuns']>): Promise<TargetRun[]> {
    const target_id = asked.toLowerCase();
    const stage = await this.dataSource.getRepository(StageRunEntity).findOneBy({ project_id, id: stage_run_id });
    if (!stage) throw new DomainError('not_found', `no stage run ${stage_run_id}`);
    const listed = await this.stages.listed(project_id, stage.pipeline_id, target_id);
    const wanted = listed ?? { id: target_id, device_id: target_id, device_alias };
    const [target] = await this.targets.known(project_id, [wanted]);
    if (!target) throw invalidField('target_id', `no target and no device ${target_id}`);
    const added = { ...target, own: { ...target.own, added_by: by } };
    const joins = stage.state !== 'pending' && !isEnd(stageRunLifecycle, stage.state);
    if (!joins || !(await this.plan.join(project_id, stage_run_id, [added])))
      throw invalidField('target_id', `the stage run is ${stage.state}: nothing joins it now`);
    this.wake.wake({ project_id, id: stage_run_id });
    return this.read.ofDevice(project_id, stage_run_id, target.device_id);
  }

  /**
   * A target run that was not dispatched is cancelled, with those that follow it on its device.
   * @throws DomainError `not_found`, `invalid` for one that was dispatched or has ended.
   */
  async cancel({ project_id, stage_run_id, id, by }: RpcRequest<Contracts['cancelTargetRun']>): Promise<TargetRun> {
    await this.read.targetRun({ project_id, stage_run_id, id });
    await this.inRollout(project_id, stage_run_id, id, async (tx, rollout, part) => {
      if (part.status === 'cancelled') return;
      if (!['pending', 'queued', 'processing'].includes(part.status))
        throw invalidField('status', `a target run that is ${part.status} cannot be set to cancelled`);
      if (isStopping(part, id)) return;
      const ids = await this.moves.from(tx, id);
      if (part.target_run_id === id && part.state === 'Waiting')
        await this.stop.endParts(tx, rollout, [part.id], 'cancelled', 'cancelled');
      else if (part.target_run_id === id) await this.stop.cancelParts(tx, rollout, [part.id], 'cancelled');
      else await this.moves.giveUp(tx, ids, 'cancelled', 'cancelled');
      await this.moves.touch(tx, ids, by);
    });
    return this.read.targetRun({ project_id, stage_run_id, id });
  }

  /** The command of a target run is cancelled. @throws DomainError `not_found`, `invalid` where it has ended. */
  async cancelCommand(request: RpcRequest<Contracts['cancelTargetRunCommand']>): Promise<TargetRunCommand> {
    const { project_id, stage_run_id, target_run_id, command_id, by } = request;
    const command = await this.read.command({ project_id, stage_run_id, target_run_id });
    if (command.request_id !== command_id.toLowerCase()) throw new DomainError('not_found', `no command ${command_id}`);
    await this.inRollout(project_id, stage_run_id, target_run_id, async (tx, rollout, part) => {
      // By now its device may be at another command, or wait for another try.
      if (part.command_id !== command.request_id || !['Waiting', 'Running', 'Stopping'].includes(part.state))
        throw invalidField('request_status', 'the command has ended, and cannot be cancelled');
      if (isStopping(part, target_run_id)) return;
      if (part.state === 'Waiting') await this.stop.endParts(tx, rollout, [part.id], 'cancelled', 'cancelled');
      else await this.stop.cancelParts(tx, rollout, [part.id], 'cancelled');
      await this.moves.touch(tx, [target_run_id], by);
    });
    return this.read.command({ project_id, stage_run_id, target_run_id });
  }

  private async inRollout(
    project_id: string,
    stage_run_id: string,
    target_run_id: string,
    change: (tx: Tx, rollout: LockedRollout, part: PartOf) => Promise<void>,
  ): Promise<void> {
    await this.journal.transaction(project_id, async (tx) => {
      const rollout = await this.rollouts.lock(tx, stage_run_id);
      const part = await this.stages.partOf(tx, target_run_id);
      if (!rollout || !part) return;
      await change(tx, rollout, part);
      await rollout.save(tx);
    });
    this.wake.wake({ project_id, id: stage_run_id });
  }
}

/** Whether the command of the target run is being cancelled already. */
const isStopping = ({ state, target_run_id }: PartOf, id: string): boolean =>
  state === 'Stopping' && target_run_id === id;
