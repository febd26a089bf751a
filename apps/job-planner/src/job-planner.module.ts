import { Module } from '@nestjs/common';
import { Approvals } from './approvals/approvals.js';
import { ApprovalsRpc } from './approvals/approvals.rpc.js';
import { GroupUsesRpc } from './groups/group-uses.rpc.js';
import { GroupUsesStore } from './groups/group-uses.store.js';
import { JobAct } from './jobs/job.act.js';
import { JobBefore } from './jobs/job.before.js';
import { JobCreate } from './jobs/job.create.js';
import { JobFamily } from './jobs/job.family.js';
import { JobForecast } from './jobs/job.forecast.js';
import { JobStore } from './jobs/job.store.js';
import { JobTargets } from './jobs/job.targets.js';
import { JobsRpc } from './jobs/jobs.rpc.js';
import { OperationFamily } from './operations/operation.family.js';
import { OperationPartsWork } from './operations/operation-parts.work.js';
import { OperationRolloutsRpc } from './operations/operation-rollouts.rpc.js';
import { OperationForecast } from './operations/operation.forecast.js';
import { PipelinesModule } from './pipelines/pipelines.module.js';
import { OperationPartRetention } from './retention/operation-part.retention.js';
import { TargetRunRetention } from './retention/target-run.retention.js';
import { TaskRetention } from './retention/task.retention.js';
import { Families } from './rollout/families.js';
import { RolloutAdvance } from './rollout/rollout.advance.js';
import { RolloutForecast } from './rollout/rollout.forecast.js';
import { RolloutHolds } from './rollout/rollout.holds.js';
import { RolloutNotices } from './rollout/rollout.notices.js';
import { RolloutOutcomes } from './rollout/rollout.outcomes.js';
import { RolloutPlan } from './rollout/rollout.plan.js';
import { RolloutPortions } from './rollout/rollout.portions.js';
import { RolloutReconcile } from './rollout/rollout.reconcile.js';
import { RolloutRelease } from './rollout/rollout.release.js';
import { RolloutRunner } from './rollout/rollout.runner.js';
import { RolloutStop } from './rollout/rollout.stop.js';
import { RolloutStore } from './rollout/rollout.store.js';
import { RolloutSupersede } from './rollout/rollout.supersede.js';
import { RolloutWake } from './rollout/rollout.wake.js';
import { RolloutWork } from './rollout/rollout.work.js';
import { RunAct } from './runs/run.act.js';
import { RunAdvance } from './runs/run.advance.js';
import { RunNotices } from './runs/run.notices.js';
import { RunRead } from './runs/run.read.js';
import { RunRunner } from './runs/run.runner.js';
import { RunStart } from './runs/run.start.js';
import { RunStore } from './runs/run.store.js';
import { RunWake } from './runs/run.wake.js';
import { RunsRpc } from './runs/runs.rpc.js';
import { StageAct } from './stage-runs/stage.act.js';
import { StageFamily } from './stage-runs/stage.family.js';
import { StageForecast } from './stage-runs/stage.forecast.js';
import { StageRunOperations } from './stage-runs/stage-run-operations.js';
import { StageStore } from './stage-runs/stage.store.js';
import { StageTargets } from './stage-runs/stage.targets.js';
import { TargetRunMoves } from './target-runs/target-run.moves.js';
import { TargetStore } from './rollout/target.store.js';
import { TimelineRpc } from './timeline/timeline.rpc.js';
import { TimelineStore } from './timeline/timeline.store.js';
import { WaitingRpc } from './waiting/waiting.rpc.js';
import { WaitingStore } from './waiting/waiting.store.js';

@Module({
  imports: [PipelinesModule],
  controllers: [
    JobsRpc,
    RunsRpc,
    OperationRolloutsRpc,
    OperationPartsWork,
    ApprovalsRpc,
    GroupUsesRpc,
    RolloutWork,
    TimelineRpc,
    WaitingRpc,
  ],
  providers: [
    Approvals,
    GroupUsesStore,
    RolloutStore,
    TargetStore,
    RolloutWake,
    Families,
    RolloutPlan,
    RolloutPortions,
    RolloutRelease,
    RolloutStop,
    RolloutOutcomes,
    RolloutHolds,
    RolloutAdvance,
    RolloutReconcile,
    RolloutRunner,
    RolloutNotices,
    RolloutForecast,
    RolloutSupersede,
    RunWake,
    RunStore,
    RunRead,
    RunAdvance,
    RunRunner,
    RunNotices,
    RunStart,
    RunAct,
    StageStore,
    StageTargets,
    StageRunOperations,
    TargetRunMoves,
    StageFamily,
    StageAct,
    OperationFamily,
    StageForecast,
    JobStore,
    JobTargets,
    JobBefore,
    JobFamily,
    JobCreate,
    JobAct,
    JobForecast,
    OperationForecast,
    TaskRetention,
    TargetRunRetention,
    OperationPartRetention,
    TimelineStore,
    WaitingStore,
  ],
})
export class JobPlannerModule {}
