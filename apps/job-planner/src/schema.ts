import { ApprovalEntity } from './approvals/approval.entity.js';
import { JobEntity } from './jobs/job.entity.js';
import { Jobs1700000003000 } from './migrations/1700000003000-jobs.js';
import { TaskRemovalEntity } from './retention/task-removal.entity.js';
import { RolloutEntity } from './rollout/rollout.entity.js';
import { JobTaskEntity } from './tasks/job-task.entity.js';

/** What the service keeps, and how its schema came to be. */
export const entities = [ApprovalEntity, RolloutEntity, JobEntity, JobTaskEntity, TaskRemovalEntity];
export const migrations = [Jobs1700000003000];
