/** How a simulated fleet behaves. Rates are shares from 0 to 1. */
export interface Behaviour {
  seed: string;
  /** Share of executions that fail. */
  failureRate: number;
  /** Milliseconds from a command to its end, spread evenly between both. */
  latency: { from: number; to: number };
  /** Share of devices that are not there. */
  offlineRate: number;
  /** Share of executions whose last status is sent twice. */
  duplicateRate: number;
  /** Share of executions whose first status arrives after their last. */
  reorderRate: number;
  /** Share of executions that are told as a success and have not been carried out. */
  lyingRate: number;
  /** Share of convergences after which the device changes something by itself. */
  driftRate: number;
  /** Versions of bad releases: every execution that brings one fails, and the device has it all the same. */
  failingVersions: readonly string[];
}

/** What will come of one execution. */
export interface Fate {
  fails: boolean;
  /** Milliseconds. */
  latency: number;
  duplicated: boolean;
  reordered: boolean;
  lies: boolean;
  /** Milliseconds from a convergence to the change that nobody asked for, if there is one. */
  driftsAfter: number | undefined;
}

/** Between these the time lies that a converged device stays as it is, in milliseconds. */
const DRIFT_DELAY = { from: 1_000, to: 5_000 };

/** Whether a device is one of those that are not there; the same for the same seed and name. */
export const isOffline = ({ seed, offlineRate }: Behaviour, device: string): boolean =>
  share(`${seed}/${device}`) < offlineRate;

/** The fate of an execution, which follows from the seed, the device's name, the command and the fence alone. */
export function fateOf(behaviour: Behaviour, device: string, commandId: string, fence: number): Fate {
  const { seed, latency } = behaviour;
  const draw = (what: string) => share(`${seed}/${device}/${commandId}/${fence}/${what}`);
  // Drawn only where it matters, because every command of a large fleet passes here.
  const happens = (what: string, rate: number) => rate > 0 && draw(what) < rate;
  return {
    fails: happens('failure', behaviour.failureRate),
    latency: between(latency, draw('latency')),
    duplicated: happens('duplicate', behaviour.duplicateRate),
    reordered: happens('reorder', behaviour.reorderRate),
    lies: happens('lie', behaviour.lyingRate),
    driftsAfter: happens('drift', behaviour.driftRate) ? between(DRIFT_DELAY, draw('drift delay')) : undefined,
  };
}

const between = ({ from, to }: { from: number; to: number }, share: number): number =>
  Math.round(from + share * (to - from));

/** A number in [0, 1) that follows from `text` alone: FNV-1a, with the finish of MurmurHash3 to spread its bits. */
function share(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return ((hash ^ (hash >>> 16)) >>> 0) / 2 ** 32;
}
