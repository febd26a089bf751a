import { approvalEntity, approvals } from './approvals.js';
import { commandDispatcher, commandWork } from './command-dispatcher.js';
import { commandEntity } from './command.js';
import { defineDeadLetters, type DeadLetterRpcs } from './dead-letters.js';
import { deploymentEntity, deployments } from './deployment.js';
import { deviceGroups } from './device-group.js';
import { deviceEntity, deviceState, deviceWork } from './device-state.js';
import { driftEntity, drifts } from './drift.js';
import { deviceCredentials } from './device-credentials.js';
import type { EntityContract } from './entity.js';
import { jobEntity, jobPlanner, jobProgress, jobTaskEntity, jobWork } from './job-planner.js';
import type { NoticeContract } from './notice.js';
import { deviceOperationEntity, operationEntity, operations, operationWork } from './operations.js';
import {
  operationPartEntity,
  operationPartWork,
  operationRollouts,
  operationRolloutWork,
} from './operation-rollout.js';
import { pipelineRpcs } from './pipelines.js';
import {
  pipelineRunEntity,
  pipelineRunProgress,
  pipelineRuns,
  stageDeviceEntity,
  stageRunEntity,
  stageRunProgress,
  targetRunEntity,
} from './pipeline-runs.js';
import type { RpcContract } from './rpc.js';
import { SERVICES, type ServiceName } from './services.js';
import { timelines } from './timeline.js';
import { waitings } from './waiting.js';
import type { WorkContract } from './work.js';

/** Every entity whose transitions are published. */
export const entities: readonly EntityContract[] = [
  jobEntity,
  jobTaskEntity,
  approvalEntity,
  pipelineRunEntity,
  stageRunEntity,
  targetRunEntity,
  stageDeviceEntity,
  operationPartEntity,
  commandEntity,
  deviceEntity,
  driftEntity,
  operationEntity,
  deviceOperationEntity,
  deploymentEntity,
];

/** Everything that is told of entities beside their transitions. */
export const notices: readonly NoticeContract[] = [jobProgress, stageRunProgress, pipelineRunProgress];

/** The services that keep dead letters, those with a journal, and what each is asked of them. */
export const deadLetters: ReadonlyMap<ServiceName, DeadLetterRpcs> = new Map(
  SERVICES.filter((service) => entities.some((entity) => entity.service === service)).map((service) => [
    service,
    defineDeadLetters(service),
  ]),
);

/** Every question that one service may ask another. */
export const rpcs: readonly RpcContract[] = [
  ...Object.values<RpcContract>(deviceState),
  ...Object.values<RpcContract>(deviceGroups),
  ...Object.values<RpcContract>(drifts),
  ...Object.values<RpcContract>(operations),
  ...Object.values<RpcContract>(operationRollouts),
  ...Object.values<RpcContract>(deployments),
  ...Object.values<RpcContract>(deviceCredentials),
  ...Object.values<RpcContract>(commandDispatcher),
  ...Object.values<RpcContract>(jobPlanner),
  ...Object.values<RpcContract>(approvals),
  ...pipelineRpcs,
  ...Object.values<RpcContract>(pipelineRuns),
  ...Object.values<RpcContract>(timelines),
  ...Object.values<RpcContract>(waitings),
  ...[...deadLetters.values()].flatMap((questions) => Object.values<RpcContract>(questions)),
];

/** Every batch that one service may ask of another. */
export const works: readonly WorkContract[] = [
  ...Object.values<WorkContract>(commandWork),
  ...Object.values<WorkContract>(deviceWork),
  ...Object.values<WorkContract>(jobWork),
  ...Object.values<WorkContract>(operationWork),
  ...Object.values<WorkContract>(operationRolloutWork),
  ...Object.values<WorkContract>(operationPartWork),
];
