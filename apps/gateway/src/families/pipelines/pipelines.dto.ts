import {
  OperationList,
  PIPELINE_ORDERINGS,
  Pipeline as PipelineDefinition,
  PipelineOperation,
  pipelines,
  Stage as StageDefinition,
  Target,
  TargetList,
  TargetListDeviceGroup,
} from '@muster/contracts';
import Type, { type Static } from 'typebox';
import type { Principal } from '../../auth/principal.js';
import { OffsetPage, offsetParameters } from '../../common/offset.page.js';

const closed = { additionalProperties: false };

/** Whose a document is, as the vendor says it. */
export const enterprise = { enterprise_id: Type.String({ format: 'uuid', description: 'of the project' }) };

/** A document of the project with this UUID, which the vendor's documents have after their id. */
export const inEnterprise = <Document extends { id: string }>({ id, ...rest }: Document, enterprise_id: string) => ({
  id,
  enterprise_id,
  ...rest,
});

const { id: pipelineId, ...ofPipeline } = PipelineDefinition.properties;

/** A pipeline as the vendor shows it. None is hidden or archived: these two are there because the document has them. */
export const Pipeline = Type.Object({
  id: pipelineId,
  ...enterprise,
  ...ofPipeline,
  is_visible: Type.Literal(true),
  is_archived: Type.Literal(false),
});
export type Pipeline = Static<typeof Pipeline>;

/** The vendor's words for a pipeline of the project with this UUID. */
export const toPipeline = (pipeline: PipelineDefinition, enterprise_id: string): Pipeline => ({
  ...inEnterprise(pipeline, enterprise_id),
  is_visible: true,
  is_archived: false,
});

const { id: stageId, ...ofStage } = StageDefinition.properties;

/** A stage as the vendor shows it; `order`, `promotion`, `on_failure` and `rollout` are ours. */
export const Stage = Type.Object({ id: stageId, ...enterprise, ...ofStage });

/** What `targets-bulk` answers: the vendor's counts and, ours, the targets of all devices that were named, in their order. */
export const AddedTargets = Type.Object({
  created_count: Type.Integer({ description: 'the same as `added_count`' }),
  added_count: Type.Integer(),
  skipped_count: Type.Integer({ description: 'that were in the list already' }),
  errors: Type.Array(Type.Object({}), { description: 'empty: all are added, or the answer is a refusal' }),
  targets: Type.Array(Target),
});
export type AddedTargets = Static<typeof AddedTargets>;

/** A device group that was taken out of a target list: the document, and the vendor's two fields of this one answer. */
export const RemovedDeviceGroup = Type.Object({
  ...TargetListDeviceGroup.properties,
  target_list: TargetListDeviceGroup.properties.target_list_id,
  device_group: TargetListDeviceGroup.properties.device_group_id,
});
export type RemovedDeviceGroup = Static<typeof RemovedDeviceGroup>;

/** Body of a link of a stage with a target list. */
export const StageTargetList = Type.Object({ target_list_id: TargetList.properties.id }, closed);
export type StageTargetList = Static<typeof StageTargetList>;

export const PipelinePage = OffsetPage(Pipeline);
export const StagePage = OffsetPage(Stage);
export const TargetListPage = OffsetPage(TargetList);
export const TargetPage = OffsetPage(Target);
export const TargetListDeviceGroupPage = OffsetPage(TargetListDeviceGroup);
export const OperationListPage = OffsetPage(OperationList);
export const PipelineOperationPage = OffsetPage(PipelineOperation);

/** Query of the list of pipelines. */
export const ListPipelines = Type.Object(
  {
    name: pipelines.pipeline.list.request.properties.name,
    default: Type.Optional(Type.Boolean()),
    ordering: Type.Optional(Type.Enum([...PIPELINE_ORDERINGS])),
    ...offsetParameters,
  },
  closed,
);
export type ListPipelines = Static<typeof ListPipelines>;

/** Query of the operations of an operation list. */
export const ListPipelineOperations = Type.Object(
  { operation_type: pipelines.operation.list.request.properties.operation_type, ...offsetParameters },
  closed,
);
export type ListPipelineOperations = Static<typeof ListPipelineOperations>;

/** Query of the target lists of a stage; the vendor writes their types small here. */
export const ListStageTargetLists = Type.Object(
  { type: Type.Optional(Type.Enum(['groups', 'devices'])), ...offsetParameters },
  closed,
);
export type ListStageTargetLists = Static<typeof ListStageTargetLists>;

/** Query of the other lists. */
export const ListParts = Type.Object(offsetParameters, closed);
export type ListParts = Static<typeof ListParts>;

/** Ids in the path, by the vendor's names. */
export type PipelinePath = { pipeline_id: string };
export type StagePath = PipelinePath & { stage_id: string };
export type TargetListPath = PipelinePath & { targetlist_id: string };
export type TargetPath = TargetListPath & { target_id: string };
export type DeviceGroupPath = TargetListPath & { devicegroup_id: string };
export type StageTargetListPath = { stage_id: string; targetlist_id: string };
export type OperationListPath = { stage_id: string; operationlist_id: string };
export type OperationPath = { operationlist_id: string; operation_id: string };

/** The key of what belongs to a target list. */
export const targetListKey = ({ project }: Principal, { pipeline_id, targetlist_id }: TargetListPath) => ({
  project_id: project,
  pipeline_id,
  target_list_id: targetlist_id,
});
export type TargetListKey = ReturnType<typeof targetListKey>;
