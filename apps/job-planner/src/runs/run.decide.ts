import type { RunState, StageMeta, StageRunState } from '@muster/contracts';
import { isEnd } from '@muster/lifecycle';
import { stageRunLifecycle } from '../stage-runs/stage-run.lifecycle.js';
import { pipelineRunLifecycle } from './pipeline-run.lifecycle.js';

/** What is wanted of a run. */
export type RunWish = 'run' | 'cancel' | 'time_out';

/** A stage's part in a run, as far as the run's next step depends on it. */
export interface StageFacts extends Pick<StageMeta, 'promotion' | 'on_failure'> {
  state: StageRunState;
  /** Its rollout stands still until somebody lets it go on. */
  paused: boolean;
}

/** All that the next step of a run depends on. */
export interface RunFacts {
  state: RunState;
  wish: RunWish;
  /** Why it is in its state. */
  reason: string;
  /** It is to wait before its next stage, or does. */
  waits: boolean;
  /** Up to which stage, from 0 on, somebody has promoted it. */
  promoted: number;
  /** Its time is up. */
  late: boolean;
  /** In their order. */
  stages: readonly StageFacts[];
}

/** The next thing to do for a run; stages by their place, from 0. */
export type RunStep =
  | { do: 'enter'; state: RunState }
  | { do: 'start_stage'; stage: number }
  | { do: 'stop_stage'; stage: number }
  /** Stages that have not begun never do. */
  | { do: 'skip'; as: 'cancelled' | 'timeout'; reason: string }
  | { do: 'time_out' }
  | { do: 'pause'; reason: string }
  | { do: 'end'; state: 'success' | 'failure' | 'invalid'; reason: string }
  | { do: 'wait' };

/** Why a run is `invalid`. */
const NO_STAGE = 'the pipeline has no stage';

const WAIT: RunStep = { do: 'wait' };
const enter = (state: RunState): RunStep => ({ do: 'enter', state });

/** Decides from states and wishes alone what a run does next. */
export function nextRunStep(run: RunFacts): RunStep {
  if (isEnd(pipelineRunLifecycle, run.state)) return WAIT;
  // Nothing of it is left that could be stopped.
  if (run.state === 'complete') return { do: 'end', ...resultOf(run) };
  if (run.wish !== 'run') return stop(run, run.wish === 'cancel' ? 'cancelled' : 'timeout');
  if (run.late) return { do: 'time_out' };
  switch (run.state) {
    case 'pending':
      return enter('queued');
    case 'queued':
      return enter('processing');
    case 'processing':
      return run.stages.length === 0 ? { do: 'end', state: 'invalid', reason: NO_STAGE } : enter('running');
    case 'running':
      return goOn(run);
    case 'waiting':
      return waitOn(run);
    default:
      return WAIT;
  }
}

function resultOf({ stages }: RunFacts): { state: 'success' | 'failure'; reason: string } {
  const failed = stages.findIndex(({ state }) => state !== 'success');
  if (failed < 0) return { state: 'success', reason: '' };
  return { state: 'failure', reason: `stage ${failed + 1} did not succeed` };
}

function stop({ stages }: RunFacts, as: 'cancelled' | 'timeout'): RunStep {
  const active = stages.findIndex(isActive);
  if (active >= 0) return { do: 'stop_stage', stage: active };
  if (stages.some(({ state }) => state === 'pending')) return { do: 'skip', as, reason: `the run is ${as}` };
  return enter(as);
}

function goOn({ stages, waits, promoted }: RunFacts): RunStep {
  const place = stages.findIndex(({ state }) => !isEnd(stageRunLifecycle, state));
  if (place < 0) return enter('complete');
  const stage = stages[place]!;
  if (stage.paused) return { do: 'pause', reason: `stage ${place + 1} is paused` };
  if (isActive(stage)) return WAIT;
  // Not the stage just before alone: somebody may have cancelled that one while it was to come.
  const stopped = stages
    .slice(0, place)
    .findIndex(({ state, on_failure }) => state !== 'success' && on_failure === 'stop');
  if (stopped >= 0) return { do: 'skip', as: 'cancelled', reason: `stage ${stopped + 1} did not succeed` };
  if (waits) return { do: 'pause', reason: 'paused' };
  const manual = stages.slice(0, place).findLastIndex(({ promotion }) => promotion === 'manual');
  if (manual >= promoted) return { do: 'pause', reason: `stage ${manual + 1} is over: waits for promotion` };
  return { do: 'start_stage', stage: place };
}

/** What it waited for may be gone without anybody's word to the run. */
function waitOn(run: RunFacts): RunStep {
  const next = goOn(run);
  return next.do === 'pause' && next.reason === run.reason ? WAIT : enter('running');
}

const isActive = ({ state }: StageFacts): boolean => state !== 'pending' && !isEnd(stageRunLifecycle, state);

/** What a status that somebody sets makes of a run, `null` when it is so already, or why it is refused. */
export type RunVerdict = 'go_on' | 'wait' | 'cancel' | null | { refused: string };

/** What a user may do from which status (interfaces §2). */
export function judgeRun(
  to: 'running' | 'waiting' | 'cancelled',
  run: Pick<RunFacts, 'state' | 'wish' | 'waits'>,
): RunVerdict {
  const { state, wish, waits } = run;
  if (to === 'cancelled') {
    if (state === 'cancelled' || wish === 'cancel') return null;
    return isEnd(pipelineRunLifecycle, state) || state === 'complete' ? refusedFrom(state, to) : 'cancel';
  }
  if (isEnd(pipelineRunLifecycle, state) || state === 'complete') return refusedFrom(state, to);
  if (wish !== 'run') return refusedFrom(wish === 'cancel' ? 'being cancelled' : 'timing out', to);
  if (to === 'waiting') return state === 'waiting' || waits ? null : 'wait';
  return state === 'waiting' || waits ? 'go_on' : state === 'running' ? null : refusedFrom(state, to);
}

const refusedFrom = (is: RunState | 'being cancelled' | 'timing out', to: string) => ({
  refused: `a run that is ${is} cannot be set to ${to}`,
});
