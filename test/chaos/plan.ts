import type {
  JsonObject,
  NewCommandRequest,
  NewJob,
  NewOperation,
  NewPipelineOperation,
  NewStage,
  Rollout,
} from '@muster/contracts';
import type { Random } from './random.ts';

/** Something to be done to a job, `after` milliseconds from its creation. */
export interface FollowUp {
  after: number;
  action: 'pause' | 'restore' | 'cancel' | 'retry';
}

/** A pipeline of which one run is started; each of its stages works on the same devices. */
export interface PlannedPipeline {
  name: string;
  devices: string[];
  stages: { stage: NewStage; operations: NewPipelineOperation[] }[];
}

/** A status that a run is set to, `after` milliseconds from its start. */
export interface RunFollowUp {
  after: number;
  status: 'running' | 'waiting' | 'cancelled';
}

/** One request of the load, with everything about it that is drawn. */
export type Request =
  | { kind: 'job'; job: NewJob; followUps: FollowUp[] }
  | { kind: 'command'; request: NewCommandRequest; cancelAfter: number | undefined }
  | { kind: 'operation'; operation: NewOperation; cancelAfter: number | undefined }
  | { kind: 'run'; pipeline: PlannedPipeline; followUps: RunFollowUp[] }
  | { kind: 'register'; name: string }
  | { kind: 'patch'; device: string; mark: string; desired: JsonObject };

/** What the load chooses from. */
export interface Surroundings {
  /** All simulated devices. */
  devices: readonly { id: string; name: string }[];
  /** What the names of all of them begin with. */
  prefix: string;
}

/** Rare enough for the backlog of a fault to be worked off before long: a deadline counts only where nothing waits. */
const BETWEEN_MS = { from: 400, to: 1_600 };
/** Every how many requests a job goes to the whole fleet. */
const WHOLE_FLEET = 40;

/** How long the load waits before its next request, in milliseconds. */
export const nextPause = (random: Random): number => random.between(BETWEEN_MS.from, BETWEEN_MS.to);

/** The request number `number`, from 0. */
export function planRequest(random: Random, number: number, surroundings: Surroundings): Request {
  if (number % WHOLE_FLEET === 0)
    return newJob(random, number, { name_prefix: surroundings.prefix }, random.between(300, 1_000));
  const draw = random.next();
  if (draw < 0.08) return { kind: 'register', name: `registered-${number}` };
  if (draw < 0.3) {
    const device = random.pick(surroundings.devices).id;
    return { kind: 'patch', device, mark: `m${number}`, desired: { [`d${random.between(0, 3)}`]: number } };
  }
  if (draw < 0.45) return newCommand(random, number, surroundings);
  if (draw < 0.6) return newOperation(random, number, surroundings);
  if (draw < 0.7) return newRun(random, number, surroundings);
  if (draw < 0.83) return newJob(random, number, someDevices(random, surroundings));
  return newJob(random, number, aHundred(random, surroundings));
}

const someDevices = (random: Random, { devices }: Surroundings): Set<string> =>
  new Set(Array.from({ length: Math.min(random.between(1, 120), devices.length) }, () => random.pick(devices).id));

/** The hundred of a fleet that a device is one of. */
const aHundred = (random: Random, { devices }: Surroundings) => ({
  name_prefix: random.pick(devices).name.slice(0, -2),
});

const cancelAfter = (random: Random) => (random.chance(0.15) ? random.between(100, 4_000) : undefined);

function newCommand(random: Random, number: number, surroundings: Surroundings): Request {
  const which: Partial<NewCommandRequest> = random.chance(0.5)
    ? { command_type: 'DEVICE', devices: [...someDevices(random, surroundings)] }
    : { command_type: 'DYNAMIC', query: aHundred(random, surroundings) };
  return {
    kind: 'command',
    cancelAfter: cancelAfter(random),
    request: {
      command: 'node_upgrade',
      args: { version: `c${number}` },
      device_type: random.chance(0.2) ? 'active' : 'all',
      priority: random.between(-2, 2),
      ...which,
      ...(random.chance(0.2) && { concurrent: true }),
      ...(random.chance(0.4) && { retry: [{ outcome: 'failed', max: 2, backoff_seconds: 1, jitter: 0.5 }] }),
    },
  };
}

function newOperation(random: Random, number: number, surroundings: Surroundings): Request {
  const operation_device_query = random.chance(0.4)
    ? { ids: [...someDevices(random, surroundings)] }
    : aHundred(random, surroundings);
  const what = random.chance(0.6)
    ? { operation: 'CONVERGE', arguments: { converge_with_provision: random.chance(0.8) } }
    : { operation: 'node_upgrade', arguments: { version: `o${number}` } };
  const rollout = random.chance(0.5) && { rollout: operationRollout(random) };
  return {
    kind: 'operation',
    cancelAfter: cancelAfter(random),
    operation: { ...what, operation_device_query, ...rollout },
  };
}

/** Some with a gate that the first success opens. */
const operationRollout = (random: Random): Rollout => ({
  max_in_flight: random.between(5, 60),
  priority: random.between(-2, 2),
  ...(random.chance(0.3) && { waves: [{ percent: 20, success_threshold: 1 }, {}] }),
});

/** Half of the runs are to be promoted; those that the load does not promote wait for whoever does. */
function newRun(random: Random, number: number, surroundings: Surroundings): Request {
  const stage = (place: number): PlannedPipeline['stages'][number] => ({
    stage: {
      name: `stage ${place}`,
      promotion: random.chance(0.5) ? 'manual' : 'auto',
      on_failure: random.chance(0.8) ? 'continue' : 'stop',
      rollout: { max_in_flight: random.between(5, 60), priority: random.between(-2, 2) },
    },
    operations: [
      { operation_type: 'node_upgrade', args: { version: `p${number}.${place}` } },
      ...(random.chance(0.5) ? [{ operation_type: 'PING' }] : []),
    ],
  });
  const pipeline = {
    name: `p-${number}`,
    devices: [...someDevices(random, surroundings)],
    stages: [stage(1), stage(2)],
  };
  return { kind: 'run', pipeline, followUps: runFollowUps(random) };
}

function runFollowUps(random: Random): RunFollowUp[] {
  const draw = random.next();
  const soon = random.between(100, 6_000);
  if (draw < 0.25) return [{ after: soon, status: 'cancelled' }];
  if (draw < 0.4) return [{ after: soon, status: 'waiting' }];
  if (draw < 0.8)
    return [
      { after: random.between(2_000, 8_000), status: 'running' },
      { after: random.between(8_000, 20_000), status: 'running' },
    ];
  return [];
}

/** A job over the devices of a name whose commands may take a second and no more. */
export const shortJob = (number: number, name_prefix: string): Request => ({
  kind: 'job',
  followUps: [],
  job: {
    job_name: `c-${number}`,
    job_type: 'node_upgrade',
    job_content: { target_type: 'node', target_query: { name_prefix }, task_data: JSON.stringify({ number }) },
    rollout: { max_in_flight: 1_000, timeout: { in_progress_seconds: 1 } },
  },
});

function newJob(
  random: Random,
  number: number,
  targets: Set<string> | { name_prefix: string },
  max_in_flight = random.between(10, 200),
): Request {
  const which = targets instanceof Set ? { targets: [...targets] } : { target_query: targets };
  const timeout = {
    // About as long as slow devices take, and shorter than absent ones are away.
    ...(random.chance(0.1) && { in_progress_seconds: random.between(2, 6) }),
    ...(random.chance(0.1) && { offline_seconds: random.between(2, 10) }),
  };
  return {
    kind: 'job',
    followUps: followUps(random),
    job: {
      job_name: `c-${number}`,
      job_type: random.chance(0.5) ? 'deployment_deploy' : 'node_upgrade',
      job_content: { target_type: 'node', ...which, task_data: JSON.stringify({ number }) },
      rollout: {
        max_in_flight,
        priority: random.between(-2, 2),
        ...(Object.keys(timeout).length > 0 && { timeout }),
      },
    },
  };
}

function followUps(random: Random): FollowUp[] {
  const draw = random.next();
  const soon = random.between(100, 4_000);
  if (draw < 0.15)
    return [
      { after: soon, action: 'pause' },
      { after: soon + random.between(500, 4_000), action: 'restore' },
    ];
  if (draw < 0.27) return [{ after: soon, action: 'cancel' }];
  if (draw < 0.5) return [{ after: random.between(4_000, 15_000), action: 'retry' }];
  return [];
}
