import Type, { type Static, type TSchema } from 'typebox';
import { CommandName } from './command.js';
import { defineEntity } from './entity.js';
import { jobTaskEntity } from './job-planner.js';
import { offsetPage } from './operations.js';
import { Stage } from './pipelines.js';
import { defineNotice } from './notice.js';
import { Progress, ROLLOUT_WAITS, RolloutCounts, RolloutPlan } from './rollout.js';
import { defineRpc, type RpcContract } from './rpc.js';
import { JsonObject, ProjectId, Timestamp, Uuid } from './schema.js';

const COMMON = ['pending', 'queued', 'processing', 'running', 'complete', 'success', 'failure'] as const;
const ENDS = ['cancelled', 'timeout', 'invalid'] as const;

export const RUN_STATES = [...COMMON, 'waiting', ...ENDS] as const;
export const STAGE_RUN_STATES = [...COMMON, ...ENDS] as const;
export const TARGET_RUN_STATES = [...COMMON, 'dispatched', ...ENDS] as const;

/** What lists may be ordered by; `-` is downwards. */
const orderings = <const Field extends string>(...fields: readonly Field[]): (Field | `-${Field}`)[] =>
  fields.flatMap((field): (Field | `-${Field}`)[] => [field, `-${field}`]);

/** The orders of the runs of a pipeline in the vendor's words, those of all runs, and those of target runs. */
export const RUN_ORDERINGS = orderings('run_number', 'status', 'started_at', 'ended_at');
export const ALL_RUN_ORDERINGS = [...RUN_ORDERINGS, ...orderings('pipeline__name')];
export const TARGET_RUN_ORDERINGS = orderings('status');

export type RunState = (typeof RUN_STATES)[number];
export type StageRunState = (typeof STAGE_RUN_STATES)[number];
export type TargetRunState = (typeof TARGET_RUN_STATES)[number];

export const pipelineRunEntity = defineEntity('pipeline-run', 'job-planner', RUN_STATES, { pipeline_id: Uuid });
export const stageRunEntity = defineEntity('stage-run', 'job-planner', STAGE_RUN_STATES, {
  pipeline_run_id: Uuid,
  stage_id: Uuid,
});
/** How far a stage run is, at most once a second, as of a job (rollout.md, "Watch"). */
export const stageRunProgress = defineNotice(stageRunEntity, 'progress', Progress.properties);
export const targetRunEntity = defineEntity('target-run', 'job-planner', TARGET_RUN_STATES, {
  stage_run_id: Uuid,
  device_id: Uuid,
});

/** A device's way through a stage, over all of its operations; its words are those of a job's tasks. */
export const stageDeviceEntity = defineEntity('stage-device', 'job-planner', jobTaskEntity.states, {
  stage_run_id: Uuid,
  device_id: Uuid,
});

const Count = Type.Integer({ minimum: 0 });

/**
 * How far a run is. The counts are those of its stage runs together: of the devices that they have found so far, each once for each stage.
 * `percent`: of the stages, which count the same, what has ended.
 */
export const RunProgress = Type.Object({
  ...RolloutCounts.properties,
  percent: Type.Number(),
  stages: Type.Object({ of: Count, ended: Count, succeeded: Count }),
  waiting_for: Type.Union([Type.Enum([...ROLLOUT_WAITS]), Type.Null()]),
});

/** How far a run is, at most once a second. */
export const pipelineRunProgress = defineNotice(pipelineRunEntity, 'progress', RunProgress.properties);

const Maybe = <T extends TSchema>(type: T) => Type.Union([type, Type.Null()]);
const ActorNumber = Type.Integer();
const authored = { created_by: ActorNumber, updated_by: ActorNumber, created_at: Timestamp, updated_at: Timestamp };
const timed = { started_at: Maybe(Timestamp), ended_at: Maybe(Timestamp) };

/**
 * A run of a pipeline (vendor's `PipelineRun`). `run_number` counts the runs of the pipeline from 1. `status_meta`, free in the original: `reason`
 * of the present status, and whether somebody has told it to wait before its next stage (`waits`). Ours: `progress`.
 */
export const PipelineRun = Type.Object({
  id: Uuid,
  run_number: Type.Integer(),
  pipeline_id: Uuid,
  pipeline_name: Type.String(),
  status: Type.Enum([...RUN_STATES]),
  status_meta: Type.Object({ reason: Type.String(), waits: Type.Boolean() }),
  ...authored,
  ...timed,
  progress: RunProgress,
});

/** A stage as it was when its run started. */
const StageMeta = Type.Object({
  name: Type.String(),
  description: Type.String(),
  created_by: ActorNumber,
  order: Stage.properties.order,
  timeout_seconds: Stage.properties.timeout_seconds,
  promotion: Stage.properties.promotion,
  on_failure: Stage.properties.on_failure,
  rollout: Stage.properties.rollout,
});

/** A stage's part in a run (vendor's `StageRun`). Ours: `progress`, of devices, `reason`, and `target_runs_deleted_at`. */
export const StageRun = Type.Object({
  id: Uuid,
  pipeline_id: Uuid,
  pipeline_run_id: Uuid,
  stage_id: Uuid,
  stage_meta: StageMeta,
  status: Type.Enum([...STAGE_RUN_STATES]),
  reason: Type.String(),
  progress: Maybe(Progress),
  target_runs_deleted_at: Type.Optional(
    Type.String({
      format: 'date-time',
      description: 'the stage run ended so long ago that its target runs are no longer kept',
    }),
  ),
  ...authored,
  ...timed,
});

/** An operation of a stage as it was when the run started (vendor's `StageRunOperation`). */
export const StageRunOperation = Type.Object({
  id: Uuid,
  operation_type: CommandName,
  args: JsonObject,
  ...authored,
});

/**
 * One operation on one device (seed 000). `command_meta`, free in the original, has `reason` and `code` of the command's end, and how often it
 * was tried. `target_id` is that of the target list, or the device's where a group named it.
 */
export const TargetRun = Type.Object({
  id: Uuid,
  target_id: Uuid,
  device_id: Uuid,
  device_alias: Type.String(),
  stage_run_id: Uuid,
  stage_run_operation_id: Uuid,
  command_id: Maybe(Uuid),
  command_status: Type.String(),
  command_meta: Type.Object({ reason: Type.String(), code: Type.String(), attempts: Type.Integer() }),
  status: Type.Enum([...TARGET_RUN_STATES]),
  ...authored,
  ...timed,
});

/** The command under a target run (seed 000). */
export const TargetRunCommand = Type.Object({
  target_run_id: Uuid,
  operation_id: Uuid,
  command: CommandName,
  command_type: Type.Literal('DEVICE'),
  device_type: Type.Literal('all'),
  device_id: Uuid,
  schedule: Type.Literal('IMMEDIATE'),
  args: JsonObject,
  request_id: Uuid,
  request_status: Type.String(),
  request_status_reason: Type.String(),
});

export type RunProgress = Static<typeof RunProgress>;
export type PipelineRun = Static<typeof PipelineRun>;
export type StageRun = Static<typeof StageRun>;
export type StageMeta = Static<typeof StageMeta>;
export type StageRunOperation = Static<typeof StageRunOperation>;
export type TargetRun = Static<typeof TargetRun>;
export type TargetRunCommand = Static<typeof TargetRunCommand>;

const pageOf = <Document extends TSchema>(document: Document) =>
  Type.Object({ count: Type.Integer(), results: Type.Array(document) });

/** `pipeline_id`: where it is given, the run has to be one of it. */
const runKey = { project_id: ProjectId, id: Uuid, pipeline_id: Type.Optional(Uuid) };
const ofRun = { project_id: ProjectId, pipeline_run_id: Uuid };
const ofStageRun = { project_id: ProjectId, stage_run_id: Uuid };
const ofTargetRun = { ...ofStageRun, target_run_id: Uuid };

/** Questions about runs of pipelines, and what users do to them. Ids of another project, pipeline or run are `not_found`. */
export const pipelineRuns = {
  /**
   * The id comes from the caller, so that asking again starts nothing twice. `conflict` while another run of the pipeline has not ended.
   * `actor_id`: who starts it, as approvals show who asked.
   */
  startRun: defineRpc(
    'job-planner',
    'startRun',
    Type.Object({ ...runKey, pipeline_id: Uuid, by: ActorNumber, actor_id: Uuid }),
    PipelineRun,
  ),
  /**
   * What a run of a stage, as it is now, would do (rollout.md, plan); nothing is written. `invalid`, naming `operations` or `targets`, where it has
   * none and its run would be so. `duration`: after earlier runs of stages with the same operations in the same order, since a device holds its slot
   * for all of them; of a stage with one operation, after all rollouts of its command.
   */
  planStage: defineRpc(
    'job-planner',
    'planStage',
    Type.Object({ project_id: ProjectId, pipeline_id: Uuid, stage_id: Uuid }),
    RolloutPlan,
  ),
  getRun: defineRpc('job-planner', 'getRun', Type.Object(runKey), PipelineRun),
  /** The latest first unless told. What has not begun, or ended, comes last in an order of that. `pipeline_name`: exactly this one. */
  listRuns: defineRpc(
    'job-planner',
    'listRuns',
    Type.Object({
      project_id: ProjectId,
      pipeline_id: Type.Optional(Uuid),
      pipeline_name: Type.Optional(Type.String({ maxLength: 128 })),
      status: Type.Optional(Type.Enum([...RUN_STATES])),
      ordering: Type.Optional(Type.Enum(ALL_RUN_ORDERINGS)),
      ...offsetPage,
    }),
    pageOf(PipelineRun),
  ),
  /**
   * `running`: promotes a run that waits, or takes back that it is to wait; `waiting`: has it wait before its next stage; `cancelled`: cancels it
   * with all that belongs to it. Where it is so already nothing changes; what its status does not allow is `invalid`.
   */
  setRun: defineRpc(
    'job-planner',
    'setRun',
    Type.Object({ ...runKey, status: Type.Enum(['running', 'waiting', 'cancelled']), by: ActorNumber }),
    PipelineRun,
  ),
  /** Only once it has ended; else `invalid`. Answers what there was. */
  deleteRun: defineRpc('job-planner', 'deleteRun', Type.Object(runKey), PipelineRun),
  /** In the order of their stages. */
  listStageRuns: defineRpc(
    'job-planner',
    'listStageRuns',
    Type.Object({ ...ofRun, status: Type.Optional(Type.Enum([...STAGE_RUN_STATES])), ...offsetPage }),
    pageOf(StageRun),
  ),
  getStageRun: defineRpc('job-planner', 'getStageRun', Type.Object({ ...ofRun, id: Uuid }), StageRun),
  cancelStageRun: defineRpc(
    'job-planner',
    'cancelStageRun',
    Type.Object({ ...ofRun, id: Uuid, by: ActorNumber }),
    StageRun,
  ),
  /** In their order. */
  listStageRunOperations: defineRpc(
    'job-planner',
    'listStageRunOperations',
    Type.Object({ ...ofStageRun, ...offsetPage }),
    pageOf(StageRunOperation),
  ),
  getStageRunOperation: defineRpc(
    'job-planner',
    'getStageRunOperation',
    Type.Object({ ...ofStageRun, id: Uuid }),
    StageRunOperation,
  ),
  /** In the order in which they were made unless told; those of a device one after the other. `not_found` once they were deleted. */
  listTargetRuns: defineRpc(
    'job-planner',
    'listTargetRuns',
    Type.Object({
      ...ofStageRun,
      status: Type.Optional(Type.Enum([...TARGET_RUN_STATES])),
      stage_run_operation_id: Type.Optional(Uuid),
      ordering: Type.Optional(Type.Enum(TARGET_RUN_ORDERINGS)),
      ...offsetPage,
    }),
    pageOf(TargetRun),
  ),
  getTargetRun: defineRpc('job-planner', 'getTargetRun', Type.Object({ ...ofStageRun, id: Uuid }), TargetRun),
  /** Adds a target, or a device, to a stage run that has not ended: one target run for each operation. One that has its own gets them again. */
  addTargetRuns: defineRpc(
    'job-planner',
    'addTargetRuns',
    Type.Object({
      ...ofStageRun,
      target_id: Uuid,
      device_alias: Type.Optional(Type.String({ maxLength: 256 })),
      by: ActorNumber,
    }),
    Type.Object({ target_runs: Type.Array(TargetRun) }),
  ),
  /** Cancels one that is pending, queued or processing; of another one `invalid`. */
  cancelTargetRun: defineRpc(
    'job-planner',
    'cancelTargetRun',
    Type.Object({ ...ofStageRun, id: Uuid, by: ActorNumber }),
    TargetRun,
  ),
  /** `not_found` while it has none. */
  getTargetRunCommand: defineRpc('job-planner', 'getTargetRunCommand', Type.Object(ofTargetRun), TargetRunCommand),
  /** Has the command of a target run cancelled that was dispatched; `command_id`: it has to be this one. */
  cancelTargetRunCommand: defineRpc(
    'job-planner',
    'cancelTargetRunCommand',
    Type.Object({ ...ofTargetRun, command_id: Uuid, by: ActorNumber }),
    TargetRunCommand,
  ),
} as const satisfies Record<string, RpcContract>;
