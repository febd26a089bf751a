import type { LockedRollout } from './locked-rollout.js';
import type { Wish } from './rollout.decide.js';
import { changeWave } from './rollout.waves.js';
import { overruled } from './wave.gate.js';

/** Somebody wants something else of a rollout, which is to look at it at once. */
export function want(rollout: LockedRollout, wish: Wish, reason: string): void {
  if (wish === 'run') rollout.set({ wish, reason });
  else drain(rollout, wish, reason);
  rollout.set({ at_rest: false, due_at: new Date(rollout.now) });
}

/** Nothing more is to begin: whatever it waited for, now it is the end of what is under way. */
export function drain(rollout: LockedRollout, wish: Exclude<Wish, 'run'>, reason: string): void {
  rollout.set({ wish, reason, waits_for: 'in_flight', waits_until: null });
}

/**
 * Somebody lets a rollout go on that stood still: what had happened by now is no reason to stop it any more, and a wave whose gate was shut counts
 * as passed.
 */
export function goOn(rollout: LockedRollout): void {
  const { spec, waves, wave } = rollout.row;
  rollout.set({ baseline: rollout.tally() });
  const state = waves[wave];
  if (state) changeWave(rollout, overruled(spec.waves![wave]!, state, spec.catch_up ?? true, rollout.now));
}

/** Somebody wants the devices tried again that did not succeed: all waves have had their turn. */
export function tryAgain(rollout: LockedRollout): void {
  const { round, waves } = rollout.row;
  rollout.set({ reopening: true, round: round + 1, baseline: rollout.tally(), wave: Math.max(0, waves.length - 1) });
  rollout.set({ waves: waves.map((wave) => ({ ...wave, began_at: wave.began_at ?? rollout.now })) });
}
