import { pipelineRuns, type RpcRequest } from '@muster/contracts';
import { Rpc } from '@muster/messaging';
import { Controller } from '@nestjs/common';
import { StageAct } from '../stage-runs/stage.act.js';
import { StageForecast } from '../stage-runs/stage.forecast.js';
import { RunAct } from './run.act.js';
import { RunRead } from './run.read.js';
import { RunStart } from './run.start.js';

type Contracts = typeof pipelineRuns;
type Request<M extends keyof Contracts> = RpcRequest<Contracts[M]>;

/** Questions about runs of pipelines, and what users do to them. */
@Controller()
export class RunsRpc {
  constructor(
    private readonly starting: RunStart,
    private readonly action: RunAct,
    private readonly stage: StageAct,
    private readonly forecast: StageForecast,
    private readonly read: RunRead,
  ) {}

  @Rpc(pipelineRuns.startRun)
  startRun(request: Request<'startRun'>) {
    return this.starting.start(request);
  }

  @Rpc(pipelineRuns.planStage)
  planStage(request: Request<'planStage'>) {
    return this.forecast.of(request);
  }

  @Rpc(pipelineRuns.getRun)
  getRun(request: Request<'getRun'>) {
    return this.read.run(request);
  }

  @Rpc(pipelineRuns.listRuns)
  listRuns(request: Request<'listRuns'>) {
    return this.read.runs(request);
  }

  @Rpc(pipelineRuns.setRun)
  setRun(request: Request<'setRun'>) {
    return this.action.set(request);
  }

  @Rpc(pipelineRuns.deleteRun)
  deleteRun(request: Request<'deleteRun'>) {
    return this.action.delete(request);
  }

  @Rpc(pipelineRuns.listStageRuns)
  listStageRuns(request: Request<'listStageRuns'>) {
    return this.read.stageRuns(request);
  }

  @Rpc(pipelineRuns.getStageRun)
  getStageRun(request: Request<'getStageRun'>) {
    return this.read.stageRun(request);
  }

  @Rpc(pipelineRuns.cancelStageRun)
  cancelStageRun(request: Request<'cancelStageRun'>) {
    return this.action.cancelStage(request);
  }

  @Rpc(pipelineRuns.listStageRunOperations)
  listStageRunOperations(request: Request<'listStageRunOperations'>) {
    return this.read.operations(request);
  }

  @Rpc(pipelineRuns.getStageRunOperation)
  getStageRunOperation(request: Request<'getStageRunOperation'>) {
    return this.read.operation(request);
  }

  @Rpc(pipelineRuns.listTargetRuns)
  listTargetRuns(request: Request<'listTargetRuns'>) {
    return this.read.targetRuns(request);
  }

  @Rpc(pipelineRuns.getTargetRun)
  getTargetRun(request: Request<'getTargetRun'>) {
    return this.read.targetRun(request);
  }

  @Rpc(pipelineRuns.addTargetRuns)
  async addTargetRuns(request: Request<'addTargetRuns'>) {
    return { target_runs: await this.stage.add(request) };
  }

  @Rpc(pipelineRuns.cancelTargetRun)
  cancelTargetRun(request: Request<'cancelTargetRun'>) {
    return this.stage.cancel(request);
  }

  @Rpc(pipelineRuns.getTargetRunCommand)
  getTargetRunCommand(request: Request<'getTargetRunCommand'>) {
    return this.read.command(request);
  }

  @Rpc(pipelineRuns.cancelTargetRunCommand)
  cancelTargetRunCommand(request: Request<'cancelTargetRunCommand'>) {
    return this.stage.cancelCommand(request);
  }
}
