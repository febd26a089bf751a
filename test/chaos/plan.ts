import type { NewJob } from '@muster/contracts';
import type { Random } from './random.ts';

/** Something to be done to a job, `after` milliseconds from its creation. */
export interface FollowUp {
  after: number;
  action: 'pause' | 'restore' | 'cancel' | 'retry';
}

/** One request of the load, with everything about it that is drawn. */
export type Request =
  | { kind: 'job'; job: NewJob; followUps: FollowUp[] }
  | { kind: 'register'; name: string }
  | { kind: 'patch'; device: string; mark: string };

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
  if (draw < 0.1) return { kind: 'register', name: `registered-${number}` };
  if (draw < 0.4) return { kind: 'patch', device: random.pick(surroundings.devices).id, mark: `m${number}` };
  if (draw < 0.7) {
    const count = Math.min(random.between(1, 120), surroundings.devices.length);
    return newJob(random, number, new Set(Array.from({ length: count }, () => random.pick(surroundings.devices).id)));
  }
  // The hundred of a fleet that a device is one of.
  return newJob(random, number, { name_prefix: random.pick(surroundings.devices).name.slice(0, -2) });
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
