import {
  BATCH_SIZE,
  DomainError,
  invalidField,
  type pipelineRuns,
  type RolloutPlan,
  type RpcRequest,
} from '@muster/contracts';
import { Injectable } from '@nestjs/common';
import { TargetDevices } from '../pipelines/target.devices.js';
import { RolloutForecast } from '../rollout/rollout.forecast.js';
import { checkWaveQueries } from '../rollout/wave.queries.js';
import { RunStore } from '../runs/run.store.js';
import { NO_DEVICE, NO_OPERATION } from './stage-run.lifecycle.js';
import { commandOf } from './stage.command.js';
import { StageTargets } from './stage.targets.js';

/** Says what a run of a stage would do. */
@Injectable()
export class StageForecast {
  constructor(
    private readonly runs: RunStore,
    private readonly targets: StageTargets,
    private readonly devices: TargetDevices,
    private readonly forecast: RolloutForecast,
  ) {}

  /**
   * The duration is estimated after earlier runs of stages with the same operations in the same order; of a stage with one operation, after all
   * rollouts of its command.
   * @throws DomainError `not_found`; `invalid` naming what the stage lacks, where a run of it would be invalid, or what of it names a group that is gone.
   */
  async of({ project_id, pipeline_id, stage_id }: RpcRequest<typeof pipelineRuns.planStage>): Promise<RolloutPlan> {
    const stage = await this.runs.stage(project_id, pipeline_id, stage_id);
    if (!stage) throw new DomainError('not_found', `no stage ${stage_id}`);
    const { rollout: spec, timeout_seconds, target_list_ids: lists, commands } = stage;
    if (commands.length === 0) throw invalidField('operations', NO_OPERATION);
    await checkWaveQueries(spec, (query) => this.devices.mayFit(project_id, query));
    const plan = await this.forecast.of({
      project_id,
      spec,
      command: commandOf(commands),
      timeout_seconds,
      find: (query, cursor) =>
        this.targets.findOnce({ project_id, lists, limit: BATCH_SIZE }, query, cursor).catch((error: unknown) => {
          throw ofTargets(error);
        }),
    });
    if (plan.targets.count === 0) throw invalidField('targets', NO_DEVICE);
    return plan;
  }
}

/** A refusal of the query that the groups of its target lists are made into, which who asks does not know; any other error as it is. */
function ofTargets(error: unknown): unknown {
  const fault = error instanceof DomainError && error.kind === 'invalid' ? error.details.errors?.[0] : undefined;
  return fault ? invalidField('targets', fault.message) : error;
}
