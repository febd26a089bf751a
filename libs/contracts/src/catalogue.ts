import { commandDispatcher, commandEntity, commandWork } from './command-dispatcher.js';
import { deviceEntity, deviceState } from './device-state.js';
import type { EntityContract } from './entity.js';
import { jobEntity, jobPlanner, jobTaskEntity, jobWork } from './job-planner.js';
import type { RpcContract } from './rpc.js';
import type { WorkContract } from './work.js';

/** Every entity whose transitions are published. */
export const entities: readonly EntityContract[] = [jobEntity, jobTaskEntity, commandEntity, deviceEntity];

/** Every question that one service may ask another. */
export const rpcs: readonly RpcContract[] = [
  ...Object.values<RpcContract>(deviceState),
  ...Object.values<RpcContract>(commandDispatcher),
  ...Object.values<RpcContract>(jobPlanner),
];

/** Every batch that one service may ask of another. */
export const works: readonly WorkContract[] = [
  ...Object.values<WorkContract>(commandWork),
  ...Object.values<WorkContract>(jobWork),
];
