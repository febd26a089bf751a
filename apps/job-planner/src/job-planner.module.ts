import { Module } from '@nestjs/common';
import { JobAct } from './jobs/job.act.js';
import { JobAdvance } from './jobs/job.advance.js';
import { JobCreate } from './jobs/job.create.js';
import { JobPlan } from './jobs/job.plan.js';
import { JobReconcile } from './jobs/job.reconcile.js';
import { JobRunner } from './jobs/job.runner.js';
import { JobStore } from './jobs/job.store.js';
import { JobsRpc } from './jobs/jobs.rpc.js';
import { PipelinesModule } from './pipelines/pipelines.module.js';
import { TaskRetention } from './retention/task.retention.js';
import { JobTaskStore } from './tasks/job-task.store.js';
import { OutcomesWork } from './tasks/outcomes.work.js';
import { TimelineRpc } from './timeline/timeline.rpc.js';
import { TimelineStore } from './timeline/timeline.store.js';
import { WaitingRpc } from './waiting/waiting.rpc.js';
import { WaitingStore } from './waiting/waiting.store.js';

@Module({
  imports: [PipelinesModule],
  controllers: [JobsRpc, OutcomesWork, TimelineRpc, WaitingRpc],
  providers: [
    JobStore,
    JobTaskStore,
    JobPlan,
    JobAdvance,
    JobReconcile,
    JobRunner,
    JobCreate,
    JobAct,
    TaskRetention,
    TimelineStore,
    WaitingStore,
  ],
})
export class JobPlannerModule {}
