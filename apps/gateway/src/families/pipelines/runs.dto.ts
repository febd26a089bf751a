import {
  PipelineRun as RunDefinition,
  pipelineRuns,
  RUN_ORDERINGS,
  StageRun as StageRunDefinition,
  StageRunOperation,
  TargetRun,
  TargetRunCommand as CommandDefinition,
} from '@muster/contracts';
import Type, { type Static } from 'typebox';
import { OffsetPage, offsetParameters } from '../../common/offset.page.js';
import { enterprise, type PipelinePath } from './pipelines.dto.js';

const closed = { additionalProperties: false };

const { id: runId, ...ofRun } = RunDefinition.properties;

/** A run of a pipeline as the vendor shows it; `progress` is ours. */
export const PipelineRun = Type.Object({ id: runId, ...enterprise, ...ofRun });

const { id: stageRunId, ...ofStageRun } = StageRunDefinition.properties;

/** A stage's part in a run as the vendor shows it; `reason` and `progress` are ours, and `stage_meta` has more than the vendor's. */
export const StageRun = Type.Object({ id: stageRunId, ...enterprise, ...ofStageRun });

const { target_run_id, operation_id, ...ofCommand } = CommandDefinition.properties;

/** The command of a target run as seed 000 shows it. */
export const TargetRunCommand = Type.Object({ target_run_id, operation_id, ...enterprise, ...ofCommand });
export type TargetRunCommand = Static<typeof TargetRunCommand>;

/** The vendor's words for the command of a target run of the project with this UUID. */
export const toCommand = (
  { target_run_id: run, operation_id: operation, ...rest }: CommandDefinition,
  enterprise_id: string,
): TargetRunCommand => ({ target_run_id: run, operation_id: operation, enterprise_id, ...rest });

export const PipelineRunPage = OffsetPage(PipelineRun);
export const StageRunPage = OffsetPage(StageRun);
export const StageRunOperationPage = OffsetPage(StageRunOperation);
export const TargetRunPage = OffsetPage(TargetRun);
export const TargetRuns = Type.Array(TargetRun, { description: 'one for each operation of the stage, in their order' });

const { status, pipeline_name, ordering } = pipelineRuns.listRuns.request.properties;

/** Query of the list of all runs. */
export const ListAllRuns = Type.Object({ status, pipeline_name, ordering, ...offsetParameters }, closed);
export type ListAllRuns = Static<typeof ListAllRuns>;

/** Query of the runs of a pipeline. */
export const ListRuns = Type.Object(
  { status, ordering: Type.Optional(Type.Enum(RUN_ORDERINGS)), ...offsetParameters },
  closed,
);
export type ListRuns = Static<typeof ListRuns>;

/** Query of the stage runs of a run. */
export const ListStageRuns = Type.Object(
  { status: pipelineRuns.listStageRuns.request.properties.status, ...offsetParameters },
  closed,
);
export type ListStageRuns = Static<typeof ListStageRuns>;

const ofTargetRuns = pipelineRuns.listTargetRuns.request.properties;

/** Query of the target runs of a stage run. */
export const ListTargetRuns = Type.Object(
  {
    status: ofTargetRuns.status,
    stage_run_operation_id: ofTargetRuns.stage_run_operation_id,
    ordering: ofTargetRuns.ordering,
    ...offsetParameters,
  },
  closed,
);
export type ListTargetRuns = Static<typeof ListTargetRuns>;

/** Body of what takes no words. */
export const Empty = Type.Object({}, closed);

/** Body of a PUT of a run: of the vendor's statuses those that a user may set. */
export const PipelineRunPut = Type.Object({ status: pipelineRuns.setRun.request.properties.status }, closed);
export type PipelineRunPut = Static<typeof PipelineRunPut>;

const Cancelled = Type.Enum(['cancelled'], { description: 'the one status that a user may set' });

export const StageRunPut = Type.Object({ status: Cancelled }, closed);

const device_name = Type.Optional(Type.String({ description: "taken and ignored: the name is the device's own" }));

export const TargetRunPut = Type.Object({ status: Cancelled, device_name }, closed);

const { target_id, device_alias } = pipelineRuns.addTargetRuns.request.properties;

/** Body of a create of target runs; `target_id` may be a device's. */
export const NewTargetRuns = Type.Object({ target_id, device_name, device_alias }, closed);
export type NewTargetRuns = Static<typeof NewTargetRuns>;

export const TargetRunCommandPut = Type.Object({ request_status: Cancelled }, closed);

/** Ids in the path, by the vendor's names. */
export type RunPath = { pipeline_run_id: string };
export type PipelineRunPath = Partial<PipelinePath> & RunPath;
export type StageRunPath = RunPath & { stage_run_id: string };
export type StageRunOperationPath = { stage_run_id: string; stage_run_operation_id: string };
export type TargetRunPath = { stage_run_id: string; target_run_id: string };
export type TargetRunCommandPath = TargetRunPath & { command_id: string };
