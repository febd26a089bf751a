import { MAX_IN_FLIGHT, type Rollout, type RolloutWait, type StopRule } from '@muster/contracts';
import { allowance, ratePerMinute } from './pace.js';
import { firedRule } from './stop.rules.js';
import { open, type Tally } from './tally.js';
import { gateOf, hasPassed, openOf, sizeOf, type Gate, type WaveState } from './wave.gate.js';
import type { Windows } from './rollout.windows.js';

/** What is wanted of a rollout; `rollback` is a cancel after which the changed devices are brought back. */
export type Wish = 'run' | 'pause' | 'cancel' | 'rollback';

/** All that the next step of a rollout depends on. Times in epoch milliseconds. */
export interface RolloutFacts extends Tally {
  spec: Rollout;
  /** How many devices a step may take. */
  at_once: number;
  wish: Wish;
  /** It has ended, or stands still until somebody lets it go on. */
  at_rest: boolean;
  /** All devices have their place. */
  planned: boolean;
  /** A retry is going over the devices that did not succeed. */
  reopening: boolean;
  /** What had happened when somebody last let it go on. */
  baseline: Tally | null;
  /** Empty until all are planned where there are several, and where nobody asked for waves. */
  waves: readonly WaveState[];
  /** The place of the present one. */
  wave: number;
  /** Up to when its rate is used up. */
  paid_until: number | null;
  windows: Windows;
  /** When devices that match by now are looked for again; null where nobody may join. */
  rescan_at: number | null;
  /** A look has just found nothing that may begin at this time. */
  exhausted: boolean;
  now: number;
}

/** What stop rules look at. */
type Judged = Tally & Pick<RolloutFacts, 'spec' | 'baseline' | 'now'>;

/** The next thing to do for a rollout; every step touches at most `at_once` devices. */
export type RolloutStep =
  | { do: 'plan' }
  | { do: 'rescan' }
  | { do: 'reopen' }
  /** `paidUntil`: of so many that begin, where there is a rate. */
  | { do: 'release'; count: number; paidUntil?: (taken: number) => number }
  | { do: 'ask_approval' }
  | { do: 'begin_wave' }
  | { do: 'pass_wave' }
  | { do: 'next_wave' }
  | { do: 'stop'; rule: number }
  | { do: 'pause'; reason: string }
  | { do: 'expire' }
  | { do: 'stop_pending' }
  | { do: 'stop_in_flight' }
  /** It stands still, what is paused until its end; `end`: all its devices have ended. */
  | { do: 'rest'; until: number | null }
  /** Nobody has let it go on by its end: it does, to come to that. */
  | { do: 'run_out' }
  | { do: 'end' }
  | Wait;

/**
 * `until`: when time alone lets it go on; null when something else has to happen. `look`: when it is to be looked at before that, though no device
 * can begin then.
 */
export interface Wait {
  do: 'wait';
  for: RolloutWait;
  until: number | null;
  look: number | null;
}

const wait = (reason: RolloutWait, until: number | null = null, look: number | null = null): Wait => ({
  do: 'wait',
  for: reason,
  until,
  look,
});

/** Decides from numbers and times alone what a rollout does next. */
export function nextStep(rollout: RolloutFacts): RolloutStep {
  if (rollout.at_rest) return stayAtRest(rollout);
  switch (rollout.wish) {
    case 'run':
      return goOn(rollout);
    case 'pause':
      return drain(rollout);
    case 'cancel':
    case 'rollback':
      return stop(rollout);
  }
}

function stayAtRest(rollout: RolloutFacts): RolloutStep {
  if (rollout.wish !== 'pause') return wait('approval');
  return hasRunOut(rollout) ? { do: 'run_out' } : wait('approval', timeOf(rollout.spec.end_at));
}

function drain(rollout: RolloutFacts): RolloutStep {
  const until = timeOf(rollout.spec.end_at);
  const isOut = hasRunOut(rollout);
  if (isOut && mayYetBegin(rollout)) return { do: 'expire' };
  return rollout.in_flight === 0 ? { do: 'rest', until } : wait('in_flight', isOut ? null : until);
}

function stop({ pending, offline, in_flight, stopping }: RolloutFacts): RolloutStep {
  if (pending + offline > 0) return { do: 'stop_pending' };
  if (in_flight > stopping) return { do: 'stop_in_flight' };
  return in_flight === 0 ? { do: 'rest', until: null } : wait('in_flight');
}

function goOn(rollout: RolloutFacts): RolloutStep {
  const { spec, now, planned } = rollout;
  const rule = ruleOf(rollout);
  if (rule !== undefined) return { do: 'stop', rule };
  if (hasRunOut(rollout)) return runOut(rollout);
  if (rollout.reopening) return { do: 'reopen' };
  if (!planned && isStaged(spec)) return { do: 'plan' };
  if (planned && rollout.rescan_at !== null && rollout.rescan_at <= now) return { do: 'rescan' };
  const next = proceed(rollout);
  if (next.do !== 'wait') return next;
  if (!planned) return { do: 'plan' };
  if (open(rollout) === 0 && rollout.rescan_at === null) return { do: 'end' };
  return { ...next, until: earliest(next.until, timeOf(spec.end_at), rollout.rescan_at) };
}

/** Its time is up: what has not begun never does. */
function runOut(rollout: RolloutFacts): RolloutStep {
  if (mayYetBegin(rollout)) return { do: 'expire' };
  return rollout.in_flight === 0 ? { do: 'end' } : wait('in_flight');
}

const mayYetBegin = ({ pending, offline, planned }: RolloutFacts): boolean => pending + offline > 0 || !planned;

/** The next step of what is planned. */
function proceed(rollout: RolloutFacts): RolloutStep {
  const starts = timeOf(rollout.spec.start_at);
  if (starts !== null && starts > rollout.now) return wait('window', rollout.windows.next ?? starts);
  if (open(rollout) === 0) return wait('resolve');
  const { waves = [{}] } = rollout.spec;
  const state = rollout.waves[rollout.wave];
  if (!state) return release(rollout, null);
  const wave = waves[rollout.wave]!;
  const isLast = rollout.wave === waves.length - 1;
  // Nobody has to decide or to wait for what changes no device; others may yet join the last one.
  if (sizeOf(state) === 0) return isLast ? release(rollout, null) : { do: 'next_wave' };
  if (state.began_at === null) {
    if (wave.approval !== true || state.approved_at !== null) return { do: 'begin_wave' };
    if (state.asked_at === null) return { do: 'ask_approval' };
    // The waves before it go on meanwhile.
    const earlier = rollout.wave === 0 ? wait('approval') : release(rollout, null);
    return earlier.do === 'wait' ? { ...earlier, for: 'approval' } : earlier;
  }
  const catchUp = rollout.spec.catch_up ?? true;
  if (!isLast && state.passed_at === null && hasPassed(wave, state, catchUp)) return { do: 'pass_wave' };
  const gate = gateOf(wave, state, catchUp, rollout.now);
  if (gate.is === 'open' && !isLast) return { do: 'next_wave' };
  if (gate.is === 'shut' && (!isLast || (wave.success_threshold !== undefined && rollout.pending > 0)))
    return { do: 'pause', reason: `wave ${rollout.wave + 1}: ${gate.reason}` };
  return release(rollout, isLast ? null : gate);
}

function release(rollout: RolloutFacts, gate: Gate | null): RolloutStep {
  const { spec, pending, in_flight, at_once, windows, now } = rollout;
  const soakEnds = gate?.is === 'soaking' ? gate.until : null;
  const idle = waitOf(rollout, soakEnds);
  const count = Math.min((spec.max_in_flight ?? MAX_IN_FLIGHT) - in_flight, pending, at_once);
  if (windows.open?.size === 0) return turns(rollout) > 0 ? wait('window', windows.next, soakEnds) : idle;
  if (count <= 0 || rollout.exhausted) return idle;
  const rate = ratePerMinute(spec, rollout.succeeded);
  if (rate === undefined) return { do: 'release', count };
  const { count: allowed, paidUntil } = allowance(rate, rollout.paid_until, now);
  if (allowed === 0) return wait('slot', earliest(paidUntil(0), soakEnds), windows.closes);
  return { do: 'release', count: Math.min(count, allowed), paidUntil };
}

/** What it waits for when nothing may begin. */
function waitOf(rollout: RolloutFacts, soakEnds: number | null): Wait {
  const { pending, in_flight, offline, windows, exhausted } = rollout;
  const left = turns(rollout);
  const next = earliest(soakEnds, left > 0 ? windows.next : null);
  const look = pending > 0 ? windows.closes : null;
  if (in_flight > 0) return wait('in_flight', next, look);
  if (soakEnds !== null) return wait('soak', next, look);
  if (left > 0 && exhausted) return wait(windows.open === null ? 'retry_at' : 'window', next, look);
  return wait(offline > 0 ? 'offline' : 'resolve', next, look);
}

/** How many of those that are pending no gate keeps back. */
function turns({ pending, in_flight, waves }: RolloutFacts): number {
  if (waves.length < 2) return pending;
  const begun = waves.filter(({ began_at }) => began_at !== null);
  return begun.reduce((sum, wave) => sum + openOf(wave), 0) - in_flight;
}

/** Whether nothing may begin before all is planned: the sizes of waves follow from the whole, and nobody is asked for an approval before. */
export const isStaged = ({ waves = [] }: Rollout): boolean => waves.length > 1 || waves[0]?.approval === true;

/** Whether devices may begin the moment they are planned, as far as there are slots. */
export const mayBeginAtOnce = (spec: Rollout): boolean =>
  !isStaged(spec) &&
  spec.start_at === undefined &&
  !spec.window &&
  spec.rate_per_minute === undefined &&
  !spec.ramp &&
  !bringsBack(spec);

/** Whether nothing may begin any more, also where no step has said so yet. */
export const isOver = (rollout: Judged): boolean => ruleOf(rollout) !== undefined || hasRunOut(rollout);

/** Whether its `end_at` has come by `now`. */
export const hasRunOut = ({ spec, now }: Pick<RolloutFacts, 'spec' | 'now'>): boolean => {
  const ends = timeOf(spec.end_at);
  return ends !== null && ends <= now;
};

/** The place of the stop rule that applies. */
const ruleOf = (rollout: Judged): number | undefined => {
  const { spec, baseline } = rollout;
  return firedRule(spec.abort ?? [], rollout, baseline, hasRunOut(rollout) ? ENDING : undefined);
};

/** What a stop rule may do once the time of a rollout is up: nothing is left to pause. */
const ENDING: readonly StopRule['action'][] = ['cancel', 'rollback'];

/** Whether what the devices had has to be known before they are changed. */
export const bringsBack = ({ abort = [] }: Rollout): boolean => abort.some(({ action }) => action === 'rollback');

const timeOf = (time: string | undefined): number | null => (time === undefined ? null : Date.parse(time));

function earliest(...times: (number | null)[]): number | null {
  const known = times.filter((time) => time !== null);
  return known.length > 0 ? Math.min(...known) : null;
}
