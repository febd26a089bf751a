import Type, { type Static } from 'typebox';
import { OutcomeHead, OutcomeItem, StepHead, StepItem } from './command-dispatcher.js';
import { DeviceQuery } from './device-state.js';
import { defineEntity } from './entity.js';
import { defineNotice } from './notice.js';
import { Progress, Rollout, RolloutPlan } from './rollout.js';
import { defineRpc } from './rpc.js';
import { ProjectId, Uuid } from './schema.js';
import { defineWork } from './work.js';

const STATUSES = [
  'Waiting',
  'Running',
  'Successful',
  'Partially_successful',
  'Failed',
  'Stopping',
  'Stopped',
  'Timed_out',
] as const;

export const jobEntity = defineEntity('job', 'job-planner', STATUSES, {
  job_name: Type.String(),
  job_type: Type.String(),
});
/** How far a job is, at most once a second (rollout.md, "Watch"). */
export const jobProgress = defineNotice(jobEntity, 'progress', Progress.properties);
export const jobTaskEntity = defineEntity(
  'job-task',
  'job-planner',
  ['Waiting', 'Running', 'Stopping', 'Stopped', 'Successful', 'Failed', 'Timed_out'],
  { job_id: Uuid, target_id: Uuid },
);

export type JobStatus = (typeof STATUSES)[number];
export type JobTaskStatus = (typeof jobTaskEntity.states)[number];

/** Most targets that a create may list; a larger fleet is named by `target_query`. */
export const MAX_LISTED_TARGETS = 10_000;
/** Most tasks and targets that a job document shows inline (interfaces §1). */
export const INLINE_TASKS = 1_000;
/** Largest `task_data`, in characters. */
export const MAX_TASK_DATA = 256 * 1024;

export const JOB_TYPES = ['node_upgrade', 'deployment_deploy', 'deployment_upgrade'] as const;
export const TARGET_TYPES = ['node', 'node_group', 'deployment'] as const;
export type JobType = (typeof JOB_TYPES)[number];
export type TargetType = (typeof TARGET_TYPES)[number];

/** What the targets of a job may be, by its type (interfaces §1). */
export const TARGETS_OF: Readonly<Record<JobType, readonly TargetType[]>> = {
  node_upgrade: ['node'],
  deployment_deploy: ['node', 'node_group'],
  deployment_upgrade: ['deployment'],
};
/** Most groups that a job may name. */
export const MAX_LISTED_GROUPS = 32;

const closed = { additionalProperties: false };

/** Body of `POST /v2/{project_id}/productmgr/jobs` (seed 003, interfaces §1). */
export const NewJob = Type.Object(
  {
    job_name: Type.String({
      pattern: '^[a-z0-9]([a-z0-9-]{0,24}[a-z0-9])?$',
      description: '1–26 of a-z, 0-9, -; no hyphen at an end',
    }),
    job_type: Type.Enum([...JOB_TYPES]),
    description: Type.Optional(Type.String({ maxLength: 1024 })),
    tags: Type.Optional(Type.Array(Type.String({ minLength: 1, maxLength: 64 }), { maxItems: 64 })),
    job_content: Type.Object(
      {
        target_type: Type.Enum([...TARGET_TYPES]),
        targets: Type.Optional(Type.Array(Uuid, { minItems: 1, maxItems: MAX_LISTED_TARGETS })),
        target_query: Type.Optional(DeviceQuery),
        task_data: Type.Optional(
          Type.String({
            maxLength: MAX_TASK_DATA,
            description: 'a JSON document in a string; for a deployment an object',
          }),
        ),
      },
      closed,
    ),
    rollout: Type.Optional(Rollout),
  },
  closed,
);

export type NewJob = Static<typeof NewJob>;

const ExtensionInfo = Type.Array(Type.Object({ key: Type.String(), value: Type.String() }));

/** One task of a job (seed 003, "Task"). `created_at`: epoch seconds. */
export const JobTask = Type.Object({
  task_id: Uuid,
  task_name: Type.String(),
  status: Type.Enum([...STATUSES]),
  reason: Type.String(),
  created_at: Type.Integer(),
  target_id: Uuid,
  extension_info: ExtensionInfo,
});

/** A job without its tasks. Times are epoch seconds. */
export const JobSummary = Type.Object({
  job_id: Uuid,
  job_name: Type.String(),
  job_type: Type.Enum([...JOB_TYPES]),
  description: Type.String(),
  tags: Type.Array(Type.String()),
  target_type: Type.Enum([...TARGET_TYPES]),
  status: Type.Enum([...STATUSES]),
  reason: Type.String(),
  created_at: Type.Integer(),
  status_last_updated_at: Type.Integer(),
  task_total_count: Type.Integer(),
  task_failed_count: Type.Integer({ description: 'tasks that ended Failed or Timed_out' }),
  task_success_count: Type.Integer(),
  progress: Progress,
});

/**
 * The document of seed 003, with ours: `progress`, `reason`, `tags`, `rollout`, `rollback_of` and `rollback_job_id` (the job that this one brings
 * back, and the one that brings this one back), `tasks_truncated`, `tasks_deleted_at`.
 */
export const Job = Type.Object({
  ...JobSummary.properties,
  task_data: Type.String(),
  rollout: Rollout,
  rollback_of: Type.Union([Uuid, Type.Null()]),
  rollback_job_id: Type.Union([Uuid, Type.Null()]),
  tasks: Type.Array(JobTask),
  targets: Type.Array(Type.Object({ target_id: Uuid, extension_info: ExtensionInfo })),
  tasks_truncated: Type.Optional(Type.Literal(true)),
  tasks_deleted_at: Type.Optional(
    Type.Integer({ description: 'epoch seconds; the job ended so long ago that its tasks are no longer kept' }),
  ),
});

export type Job = Static<typeof Job>;
export type JobSummary = Static<typeof JobSummary>;
export type JobTask = Static<typeof JobTask>;

/** What a user may do to a job; what is allowed from which status stands in interfaces §1. */
export const JOB_ACTIONS = ['pause', 'restore', 'retry', 'cancel'] as const;
export type JobAction = (typeof JOB_ACTIONS)[number];

/** What needs a group of devices to be there; `name` is empty where it has none. */
const GroupUse = Type.Object({
  entity: Type.Enum(['target-list', 'stage', 'job', 'stage-run']),
  id: Uuid,
  name: Type.String(),
});
export type GroupUse = Static<typeof GroupUse>;

const jobKey = { project_id: ProjectId, job_id: Uuid };

export const jobPlanner = {
  /** The id comes from the caller, so that asking again creates nothing twice. */
  createJob: defineRpc(
    'job-planner',
    'createJob',
    Type.Object({ ...jobKey, job: NewJob, created_by: Uuid }),
    Type.Object({ job_id: Uuid, job_name: Type.String(), created_at: Type.Integer() }),
  ),
  /** What would happen; refuses what a create would refuse, and writes nothing. */
  planJob: defineRpc('job-planner', 'planJob', Type.Object({ project_id: ProjectId, job: NewJob }), RolloutPlan),
  getJob: defineRpc('job-planner', 'getJob', Type.Object(jobKey), Job),
  listJobs: defineRpc(
    'job-planner',
    'listJobs',
    Type.Object({
      project_id: ProjectId,
      job_type: Type.Optional(Type.Enum([...JOB_TYPES])),
      status: Type.Optional(Type.Enum([...STATUSES])),
      limit: Type.Integer({ minimum: 1, maximum: 1000 }),
      offset: Type.Integer({ minimum: 0 }),
      sort: Type.Enum(['created_at:desc', 'created_at:asc']),
    }),
    Type.Object({ job_count: Type.Integer(), jobs: Type.Array(JobSummary) }),
  ),
  listTasks: defineRpc(
    'job-planner',
    'listTasks',
    Type.Object({
      ...jobKey,
      status: Type.Optional(Type.Enum([...STATUSES])),
      limit: Type.Integer({ minimum: 1, maximum: 1000 }),
      marker: Type.Optional(Uuid),
    }),
    Type.Object({
      task_count: Type.Integer(),
      tasks: Type.Array(JobTask),
      next_marker: Type.Union([Uuid, Type.Null()]),
    }),
  ),
  actOnJob: defineRpc(
    'job-planner',
    'actOnJob',
    Type.Object({ ...jobKey, action: Type.Enum([...JOB_ACTIONS]) }),
    Type.Object({ job_id: Uuid, status: Type.Enum([...STATUSES]) }),
  ),
  deleteJob: defineRpc('job-planner', 'deleteJob', Type.Object(jobKey), Type.Object({})),
  /** One target list or stage that names the group, or one job or stage run that has yet to find devices by it; null: none does. */
  useOfGroup: defineRpc(
    'job-planner',
    'useOfGroup',
    Type.Object({ project_id: ProjectId, id: Uuid }),
    Type.Object({ use: Type.Union([GroupUse, Type.Null()]) }),
  ),
} as const;

/** Work for job-planner: what the commands of its rollouts came to, and how their devices' being out of reach holds them up. */
export const jobWork = {
  outcome: defineWork('job-planner', 'outcome', OutcomeHead, {
    ...OutcomeItem,
    shown: Type.Optional(
      Type.Boolean({ description: 'false: the device said that it succeeded, and its report did not show it in time' }),
    ),
  }),
  step: defineWork('job-planner', 'step', StepHead, StepItem),
} as const;
