import { ApprovalEntity } from './approvals/approval.entity.js';
import { JobEntity } from './jobs/job.entity.js';
import { Jobs1700000003000 } from './migrations/1700000003000-jobs.js';
import { Pipelines1700000003500 } from './migrations/1700000003500-pipelines.js';
import { OperationListEntity } from './pipelines/operation-list.entity.js';
import { PipelineOperationEntity } from './pipelines/pipeline-operation.entity.js';
import { PipelineEntity } from './pipelines/pipeline.entity.js';
import { StageTargetListEntity } from './pipelines/stage-target-list.entity.js';
import { StageEntity } from './pipelines/stage.entity.js';
import { TargetListDeviceGroupEntity } from './pipelines/target-list-device-group.entity.js';
import { TargetListEntity } from './pipelines/target-list.entity.js';
import { TargetRemovalEntity } from './pipelines/target-removal.entity.js';
import { TargetEntity } from './pipelines/target.entity.js';
import { StageRunRemovalEntity } from './retention/stage-run-removal.entity.js';
import { TaskRemovalEntity } from './retention/task-removal.entity.js';
import { Runs1700000003700 } from './migrations/1700000003700-runs.js';
import { Operations1700000003800 } from './migrations/1700000003800-operations.js';
import { OperationPartRemovalEntity } from './retention/operation-part-removal.entity.js';
import { OperationPartEntity } from './operations/operation-part.entity.js';
import { PipelineRunEntity } from './runs/pipeline-run.entity.js';
import { StageDeviceEntity } from './stage-runs/stage-device.entity.js';
import { StageRunOperationEntity } from './stage-runs/stage-run-operation.entity.js';
import { StageRunEntity } from './stage-runs/stage-run.entity.js';
import { TargetRunEntity } from './target-runs/target-run.entity.js';
import { RolloutEntity } from './rollout/rollout.entity.js';
import { JobTaskEntity } from './tasks/job-task.entity.js';

/** What the service keeps, and how its schema came to be. */
export const entities = [
  ApprovalEntity,
  JobEntity,
  JobTaskEntity,
  OperationListEntity,
  OperationPartEntity,
  OperationPartRemovalEntity,
  PipelineEntity,
  PipelineOperationEntity,
  PipelineRunEntity,
  RolloutEntity,
  StageDeviceEntity,
  StageRunEntity,
  StageRunOperationEntity,
  StageRunRemovalEntity,
  TargetRunEntity,
  StageEntity,
  StageTargetListEntity,
  TargetEntity,
  TargetListDeviceGroupEntity,
  TargetListEntity,
  TargetRemovalEntity,
  TaskRemovalEntity,
];
export const migrations = [Jobs1700000003000, Pipelines1700000003500, Runs1700000003700, Operations1700000003800];
