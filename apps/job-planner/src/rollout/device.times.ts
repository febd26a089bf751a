import { quantile, type Durations } from './durations.js';

/** Seconds from a device's release to its success: from, to. */
export interface DeviceTime {
  least: number;
  most: number;
}

/** What a device took before for the same command. */
export interface KnownDevice {
  /** Undefined where it has not succeeded at it. */
  took: DeviceTime | undefined;
}

/** How much faster or slower than ever before a device may be. */
const SPREAD = 1.25;
/** How long a slot may be empty until its next device has it, in seconds. */
const TURN_SECONDS = 0.2;
/** How likely it is that one of some devices that are new is slower than all that is told of them, or faster. */
const UNLIKELY = 0.1;

/**
 * How long each of some devices may take: about as long as before; and those that have not done it as long as any devices did (`durations`), spread
 * over those as draws from them would be. Where these are not known the times of the others are all that there is.
 * @returns undefined when nothing is known.
 */
export function timesOf(devices: readonly KnownDevice[], durations: Durations): DeviceTime[] | undefined {
  const known = devices.flatMap(({ took }) => (took ? [took] : []));
  const news = devices.length - known.length;
  const times = known.map(({ least, most }) => ({ least: least / SPREAD, most: most * SPREAD + TURN_SECONDS }));
  for (let place = 0; place < news; place++) {
    const low = quantile(durations, (place + UNLIKELY) / news);
    const high = quantile(durations, (place + 1 - UNLIKELY) / news);
    if (low === undefined || high === undefined) return times.length > 0 ? times : undefined;
    times.push({ least: shortest(low), most: high + TURN_SECONDS });
  }
  return times;
}

/** The shortest time in the bucket that ends with so many seconds. */
const shortest = (end: number): number => (end <= 1 ? 0 : end / 2);
