import type { LockedRollout } from './locked-rollout.js';
import { finished } from './tally.js';
import { newWave, waveAt, type WaveState } from './wave.gate.js';

type WaveCount = 'succeeded' | 'lost' | 'left_out' | 'offline';

/** Makes the waves, which have these places. In a single one all counts that became of devices meanwhile; of several none has begun. */
export function makeWaves(rollout: LockedRollout, places: readonly { from: number; to: number }[]): void {
  const waves = places.map(newWave);
  const [only, ...others] = waves;
  if (only && others.length === 0) {
    const { row } = rollout;
    only.succeeded = row.succeeded;
    only.lost = finished(row) - row.succeeded;
    only.left_out = row.cancelled;
    only.offline = row.offline;
  }
  rollout.set({ waves });
}

/** Notes in their waves what became of devices, by their places. Nothing where there are no waves. */
export function noteInWaves(rollout: LockedRollout, places: readonly number[], what: WaveCount, by: 1 | -1): void {
  if (rollout.row.waves.length === 0 || places.length === 0) return;
  const waves = rollout.row.waves.map((wave) => ({ ...wave }));
  for (const place of places) {
    const wave = waveAt(waves, place);
    if (wave) wave[what] += by;
  }
  rollout.set({ waves });
}

/** Sets what is known of the present wave. */
export function changeWave(rollout: LockedRollout, change: Partial<WaveState>): void {
  const { waves, wave: present } = rollout.row;
  rollout.set({ waves: waves.map((wave, index) => (index === present ? { ...wave, ...change } : wave)) });
}
