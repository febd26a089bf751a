import { approvals } from './approvals.js';
import { commandDispatcher, commandWork } from './command-dispatcher.js';
import { deadLetters, entities, rpcs, works } from './catalogue.js';
import { deviceChannels, deviceStream, type ChannelName, type DeviceChannel } from './device-channel.js';
import { deviceGroups } from './device-group.js';
import { deviceState, deviceWork } from './device-state.js';
import { deployments } from './deployment.js';
import { drifts } from './drift.js';
import { deviceCredentials } from './device-credentials.js';
import { eventStream } from './entity.js';
import { jobPlanner, jobWork } from './job-planner.js';
import { operations, operationWork } from './operations.js';
import { operationPartWork, operationRollouts, operationRolloutWork } from './operation-rollout.js';
import { pipelineRpcs } from './pipelines.js';
import { pipelineRuns } from './pipeline-runs.js';
import type { RpcContract } from './rpc.js';
import type { ServiceName } from './services.js';
import { timelines } from './timeline.js';
import { waitings } from './waiting.js';
import { WORK_STREAM, type WorkContract } from './work.js';

/** What a service wants of others and of devices; its user on the bus may do this and no more. What it answers and publishes itself stands in the contracts. */
export interface Uses {
  /** Questions that it asks. */
  asks: readonly RpcContract[];
  /** Work that it asks for, outcomes included. */
  requests: readonly WorkContract[];
  /** Channels on which it reads what devices say. */
  hears: readonly ChannelName[];
  /** Channels on which it speaks to devices. */
  tells: readonly ChannelName[];
}

const lettersOfAll = [...deadLetters.values()].flatMap((questions) => Object.values<RpcContract>(questions));

/** Who uses what; whoever comes to use more says it here, or the bus refuses it. */
export const uses: Readonly<Record<ServiceName, Uses>> = {
  'device-state': {
    asks: [
      jobPlanner.useOfGroup,
      operationRollouts.startOperationRollout,
      operationRollouts.stopOperationRollout,
      operationRollouts.operationPartEnds,
      operationRollouts.planOperationRollout,
    ],
    requests: [
      commandWork.presence,
      commandWork.request,
      commandWork.cancel,
      jobWork.outcome,
      jobWork.step,
      operationPartWork.ended,
    ],
    hears: ['hello', 'heartbeat', 'report'],
    tells: [],
  },
  'command-dispatcher': {
    asks: [deviceState.presence, deviceState.resolve],
    requests: [jobWork.outcome, jobWork.step, operationWork.outcome, operationWork.step, deviceWork.deployed],
    hears: ['status'],
    tells: ['command', 'cancel'],
  },
  'job-planner': {
    asks: [
      deviceState.resolve,
      deviceState.presence,
      deviceState.reportedAt,
      deployments.resolveDeployments,
      deviceGroups.getGroup,
      operationRollouts.listOperationParts,
    ],
    requests: [commandWork.request, commandWork.cancel, ...Object.values<WorkContract>(operationRolloutWork)],
    hears: [],
    tells: [],
  },
  gateway: {
    asks: [
      deviceState.registerDevices,
      deviceState.getDevice,
      deviceState.listDevices,
      deviceState.patchDevice,
      ...Object.values<RpcContract>(deviceGroups),
      ...Object.values<RpcContract>(drifts),
      ...Object.values<RpcContract>(deployments),
      ...Object.values<RpcContract>(operations),
      operationRollouts.operationProgress,
      ...Object.values<RpcContract>(commandDispatcher),
      ...Object.values<RpcContract>(deviceCredentials),
      ...Object.values<RpcContract>(jobPlanner),
      ...Object.values<RpcContract>(approvals),
      ...pipelineRpcs,
      ...Object.values<RpcContract>(pipelineRuns),
      ...Object.values<RpcContract>(timelines),
      ...Object.values<RpcContract>(waitings),
      ...lettersOfAll,
    ],
    requests: [],
    hears: [],
    tells: [],
  },
};

/** The work that a service does. */
export const worksOf = (service: ServiceName): WorkContract[] => works.filter((work) => work.service === service);

/** The channels kept in a stream that a service reads. */
export const streamChannelsOf = (service: ServiceName): DeviceChannel[] =>
  uses[service].hears.map((name) => deviceChannels[name]).filter(({ carrier }) => carrier === 'stream');

/** Whether a service publishes events. */
export const hasEvents = (service: ServiceName): boolean => entities.some((entity) => entity.service === service);

/** Names of the streams that a service publishes to or consumes from. */
export function streamNamesOf(service: ServiceName): string[] {
  const { requests } = uses[service];
  return [
    ...(requests.length > 0 || worksOf(service).length > 0 ? [WORK_STREAM] : []),
    ...streamChannelsOf(service).map(({ name }) => deviceStream(name as ChannelName)),
    ...(hasEvents(service) ? [eventStream(service)] : []),
  ];
}

/** Services that ask this one something, and so wait for its answers. */
export const askersOf = (service: ServiceName): ServiceName[] => {
  const answered = new Set(rpcs.filter((rpc) => rpc.service === service));
  return (Object.keys(uses) as ServiceName[]).filter((asker) => uses[asker].asks.some((rpc) => answered.has(rpc)));
};
