import { MAX_IN_FLIGHT, type Rollout } from '@muster/contracts';
import { badUntilFired } from './stop.rules.js';
import { sizeOf } from './wave.gate.js';

/** How far a change may get that goes wrong from the first device of a wave on, while all before went well. */
export interface Exposure {
  /** From 1. */
  wave: number;
  /** The place of the stop rule that ends it, from 0; null: none does, but the wave's own gate or the end of the devices. */
  rule: number | null;
  /** At most so many devices are changed by then, those before the wave included. */
  devices: number;
  /** Of them, those that it may have gone wrong on. */
  wrong: number;
}

/**
 * The worst case for each wave in which a change may begin to go wrong. A rule that fires keeps everything from beginning that is not under
 * way; a device that is tried again counts for no rule before its last try, so retries leave only the wave as a border.
 */
export function exposures(spec: Rollout, waves: readonly { from: number; to: number }[]): Exposure[] {
  const { abort = [], retry = [], max_in_flight = MAX_IN_FLIGHT } = spec;
  const total = waves.reduce((sum, wave) => sum + sizeOf(wave), 0);
  let good = 0;
  return waves.map((wave, index) => {
    const left = total - good;
    // Nothing of the wave succeeds, so its gate stays shut.
    const most = index < waves.length - 1 && sizeOf(wave) > 0 ? sizeOf(wave) : left;
    let worst: Exposure = { wave: index + 1, rule: null, devices: good + most, wrong: most };
    for (const [place, rule] of abort.entries()) {
      const bad = badUntilFired(rule, good, left, max_in_flight);
      if (bad === undefined || bad > most) continue;
      const wrong = retry.length > 0 ? most : Math.min(most, bad - 1 + max_in_flight);
      if (worst.rule === null || wrong < worst.wrong)
        worst = { wave: index + 1, rule: place, devices: good + wrong, wrong };
    }
    good += sizeOf(wave);
    return worst;
  });
}
