import { commandLatency } from './command.latency.ts';
import { eventsRelay } from './events.relay.ts';
import { fleetConnect } from './fleet.connect.ts';
import { idle } from './idle.ts';
import { jobE2e } from './job.e2e.ts';
import { jobLatency } from './job.latency.ts';
import { jobMemory } from './job.memory.ts';
import { jobScale } from './job.scale.ts';
import { operationRollout } from './operation.rollout.ts';
import { pipelineE2e } from './pipeline.e2e.ts';
import { readJob } from './read.job.ts';
import type { Row } from './row.ts';

/** In the order in which they are measured: what wants an idle system first, what leaves most behind last. */
export const rows: readonly Row[] = [
  commandLatency,
  jobLatency,
  fleetConnect,
  idle,
  jobE2e,
  operationRollout,
  pipelineE2e,
  jobScale,
  jobMemory,
  readJob,
  eventsRelay,
];
