import type { Wave } from '@muster/contracts';

/** How a wave stands. Its devices are those planned from place `from` on, before place `to`. */
export interface WaveState {
  from: number;
  to: number;
  succeeded: number;
  /** Ended in another way of their own. */
  lost: number;
  /** Cancelled or skipped: nobody waits for them, and they tell nothing. */
  left_out: number;
  /** Not reachable at present. */
  offline: number;
  /** Epoch milliseconds, or null: when its approval was asked for and given, when it began, when it had what the next wave needs. */
  asked_at: number | null;
  approved_at: number | null;
  began_at: number | null;
  passed_at: number | null;
}

/** What a wave says of the next one. */
export type Gate =
  | { is: 'open' }
  | { is: 'closed' }
  | { is: 'soaking'; until: number }
  /** It cannot become open any more. */
  | { is: 'shut'; reason: string };

export const sizeOf = ({ from, to }: Pick<WaveState, 'from' | 'to'>): number => to - from;

/** The first wave, from 1, that has devices and an approval that nobody gave; undefined where there is none. */
export function unapprovedWave(waves: readonly Wave[], states: readonly WaveState[]): number | undefined {
  const place = states.findIndex(
    (state, index) => waves[index]!.approval === true && state.began_at === null && sizeOf(state) > 0,
  );
  return place < 0 ? undefined : place + 1;
}

/** How many of its devices have not ended and can be reached, as far as is known. */
export const openOf = (state: WaveState): number =>
  sizeOf(state) - state.succeeded - state.lost - state.left_out - state.offline;

/** Whether a wave has shown what its successor needs; an offline device holds nothing up where it may catch up. */
export function gateOf(wave: Wave, state: WaveState, catchUp: boolean, now: number): Gate {
  if (state.passed_at !== null) {
    const until = state.passed_at + (wave.soak_seconds ?? 0) * 1000;
    return until <= now ? { is: 'open' } : { is: 'soaking', until };
  }
  return hasPassed(wave, state, catchUp) ? { is: 'open' } : shut(wave, state, catchUp);
}

/** Whether the wave has what its successor needs, for the first time or still. */
export function hasPassed({ success_threshold }: Wave, state: WaveState, catchUp: boolean): boolean {
  if (sizeOf(state) === 0) return true;
  const base = baseOf(state, catchUp);
  // None at all that shows that it works is never enough.
  if (state.succeeded === 0) return false;
  if (success_threshold === undefined) return state.succeeded + state.lost >= base;
  return state.succeeded >= needed(success_threshold, base);
}

function shut({ success_threshold }: Wave, state: WaveState, catchUp: boolean): Gate {
  const base = baseOf(state, catchUp);
  const possible = base - state.lost;
  if (possible < 1 && state.offline === 0)
    return { is: 'shut', reason: `none of its ${sizeOf(state)} devices succeeded` };
  // While all that count are offline, nobody knows what share of them will succeed.
  if (success_threshold === undefined || base === 0 || possible >= needed(success_threshold, base))
    return { is: 'closed' };
  const most = Math.floor((possible / base) * 1000) / 10;
  return {
    is: 'shut',
    reason: `at most ${most} % of its devices can still succeed, ${success_threshold} % are needed`,
  };
}

/** The present wave once somebody lets its rollout go on that stood still: where its gate is shut it counts as passed, from `now` on. */
export function overruled(wave: Wave, state: WaveState, catchUp: boolean, now: number): WaveState {
  const isShut = state.began_at !== null && gateOf(wave, state, catchUp, now).is === 'shut';
  return isShut ? { ...state, passed_at: now } : state;
}

/** The devices that count. */
const baseOf = (state: WaveState, catchUp: boolean): number =>
  sizeOf(state) - state.left_out - (catchUp ? state.offline : 0);

/** How many of so many devices have to succeed for so many percent. */
export const needed = (threshold: number, base: number): number =>
  Math.max(1, Math.ceil((threshold * base) / 100 - 1e-9));

/**
 * The places of the waves: those of a query have theirs already, in `placed` by the wave's index; the others share what is planned from `from`
 * on, before `to`, in their order. Percents are of all devices, rounded up over the waves so far, so that the first one is never empty.
 */
export function placesOf(
  waves: readonly Wave[],
  placed: ReadonlyMap<number, { from: number; to: number }>,
  from: number,
  to: number,
): { from: number; to: number }[] {
  let next = from;
  let percents = 0;
  let taken = 0;
  return waves.map((wave, index) => {
    const own = placed.get(index);
    if (own) return own;
    let size = to - next;
    if (index < waves.length - 1) {
      if (wave.count === undefined) {
        percents += wave.percent!;
        const upTo = Math.ceil((percents * to) / 100 - 1e-9);
        size = Math.min(size, upTo - taken);
        taken = upTo;
      } else size = Math.min(size, wave.count);
    }
    const place = { from: next, to: next + size };
    next = place.to;
    return place;
  });
}

export const newWave = (place: { from: number; to: number }): WaveState => ({
  ...place,
  succeeded: 0,
  lost: 0,
  left_out: 0,
  offline: 0,
  asked_at: null,
  approved_at: null,
  began_at: null,
  passed_at: null,
});

/** The wave of a device by its place. */
export const waveAt = (waves: readonly WaveState[], place: number): WaveState | undefined =>
  waves.find(({ from, to }) => place >= from && place < to);
