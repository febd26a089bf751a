import { PROMOTIONS, ON_FAILURE, RUN_STATES, STAGE_RUN_STATES, type StageRunState } from '@muster/contracts';
import { canMove, isEnd, statesOf } from '@muster/lifecycle';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { stageRunLifecycle } from '../stage-runs/stage-run.lifecycle.js';
import { pipelineRunLifecycle } from './pipeline-run.lifecycle.js';
import { judgeRun, nextRunStep, type RunFacts, type RunWish, type StageFacts } from './run.decide.js';

type World = RunFacts & { stages: StageFacts[] };

const stageOf = (change: Partial<StageFacts> = {}): StageFacts => ({
  state: 'pending',
  paused: false,
  promotion: 'auto',
  on_failure: 'stop',
  ...change,
});
const newWorld = (stages: StageFacts[]): World => ({
  state: 'pending',
  wish: 'run',
  reason: '',
  waits: false,
  promoted: 0,
  late: false,
  stages,
});

const moveStage = (world: World, place: number, to: StageRunState) => {
  const stage = world.stages[place]!;
  expect(canMove(stageRunLifecycle, stage.state, to)).toBe(true);
  world.stages[place] = { ...stage, state: to, paused: false };
};

/** Nothing before the stage keeps it from its beginning. */
const expectDue = ({ stages, promoted, waits }: World, place: number) => {
  expect(waits).toBe(false);
  for (const [at, { state, on_failure, promotion }] of stages.slice(0, place).entries()) {
    expect(isEnd(stageRunLifecycle, state)).toBe(true);
    if (on_failure === 'stop') expect(state).toBe('success');
    if (promotion === 'manual') expect(at).toBeLessThan(promoted);
  }
};

/** Carries steps out as the service does, on states alone, until it has to wait. */
function settle(world: World): void {
  for (let steps = 0; steps < 1_000; steps++) {
    const step = nextRunStep(world);
    const enter = (to: World['state']) => {
      expect(canMove(pipelineRunLifecycle, world.state, to)).toBe(true);
      world.state = to;
    };
    switch (step.do) {
      case 'wait':
        return;
      case 'enter':
      case 'end':
        enter(step.state);
        world.reason = 'reason' in step ? step.reason : '';
        break;
      case 'pause':
        enter('waiting');
        world.reason = step.reason;
        break;
      case 'time_out':
        world.wish = 'time_out';
        break;
      case 'skip':
        for (const [place, { state }] of world.stages.entries())
          if (state === 'pending') moveStage(world, place, step.as);
        break;
      case 'start_stage':
        expectDue(world, step.stage);
        for (const to of ['queued', 'processing', 'running'] as const) moveStage(world, step.stage, to);
        break;
      case 'stop_stage':
        moveStage(world, step.stage, world.wish === 'cancel' ? 'cancelled' : 'timeout');
        break;
    }
  }
  throw new Error('does not settle');
}

const finish = (world: World, well: boolean) => {
  const place = world.stages.findIndex(({ state }) => state === 'running');
  if (place < 0 || world.stages[place]!.paused) return;
  moveStage(world, place, 'complete');
  moveStage(world, place, well ? 'success' : 'failure');
};

/** What happens to a stage alone, by its rollout's rules, its time or somebody's word. */
const happen = (world: World, to: 'paused' | 'timeout' | 'cancelled', place: number) => {
  const stage = world.stages[place];
  if (to === 'cancelled' && (stage?.state === 'pending' || stage?.state === 'running')) moveStage(world, place, to);
  if (stage?.state !== 'running') return;
  if (to === 'paused') world.stages[place] = { ...stage, paused: true };
  if (to === 'timeout') moveStage(world, place, to);
};

const set = (world: World, to: 'running' | 'waiting' | 'cancelled') => {
  const verdict = judgeRun(to, world);
  if (verdict === 'wait') world.waits = true;
  if (verdict === 'cancel') world.wish = 'cancel';
  if (verdict !== 'go_on') return;
  world.waits = false;
  world.promoted = Math.max(
    world.promoted,
    world.stages.findIndex(({ state }) => !isEnd(stageRunLifecycle, state)),
  );
  if (world.state === 'waiting') world.state = 'running';
  world.stages = world.stages.map((stage) => ({ ...stage, paused: false }));
};

/** Why somebody has to act, read from the stages alone; undefined where nobody has to. */
function reasonToWait({ stages, waits, promoted }: World): string | undefined {
  const paused = stages.findIndex((stage) => stage.paused);
  if (paused >= 0) return `stage ${paused + 1} is paused`;
  const next = stages.findIndex(({ state }) => state === 'pending');
  if (next < 0 || stages.some(({ state }) => state === 'running')) return undefined;
  if (waits) return 'paused';
  const manual = stages.findLastIndex(({ promotion }, at) => promotion === 'manual' && at < next && at >= promoted);
  return manual < 0 ? undefined : `stage ${manual + 1} is over: waits for promotion`;
}

const anyStage = fc.record({ promotion: fc.constantFrom(...PROMOTIONS), on_failure: fc.constantFrom(...ON_FAILURE) });
const anyEvent = fc.oneof(
  { weight: 2, arbitrary: fc.tuple(fc.constantFrom('paused', 'timeout', 'cancelled'), fc.nat({ max: 4 })) },
  { weight: 4, arbitrary: fc.boolean() },
  {
    weight: 1,
    arbitrary: fc.constantFrom('running' as const, 'waiting' as const, 'cancelled' as const, 'late' as const),
  },
);

describe('a run', () => {
  it('given any stages, ends of them and actions, then it keeps to its table and, promoted whenever it waits, comes to an end', () => {
    fc.assert(
      fc.property(fc.array(anyStage, { maxLength: 5 }), fc.array(anyEvent, { maxLength: 25 }), (stages, events) => {
        const world = newWorld(stages.map((stage) => stageOf(stage)));
        settle(world);
        for (const event of events) {
          if (typeof event === 'boolean') finish(world, event);
          else if (typeof event === 'object') happen(world, ...event);
          else if (event === 'late') world.late = true;
          else set(world, event);
          settle(world);
          expect(world.stages.filter(({ state }) => state === 'running').length).toBeLessThanOrEqual(1);
          if (world.state === 'waiting') expect(world.reason).toBe(reasonToWait(world));
        }
        for (let more = 0; !isEnd(pipelineRunLifecycle, world.state); more++) {
          expect(more).toBeLessThan(30);
          if (world.state === 'waiting') set(world, 'running');
          else finish(world, true);
          settle(world);
        }
        expect(world.stages.every(({ state }) => isEnd(stageRunLifecycle, state))).toBe(true);
        if (world.state === 'success') expect(world.stages.every(({ state }) => state === 'success')).toBe(true);
      }),
      { numRuns: 500 },
    );
  });

  it('given no stage, then it is invalid', () => {
    const world = newWorld([]);
    settle(world);
    expect([world.state, world.reason]).toEqual(['invalid', 'the pipeline has no stage']);
  });

  it('given a stage that fails, then what follows is cancelled, unless that stage says to go on', () => {
    for (const on_failure of ON_FAILURE) {
      const world = newWorld([stageOf({ on_failure }), stageOf()]);
      settle(world);
      finish(world, false);
      settle(world);
      expect(world.stages[1]!.state).toBe(on_failure === 'stop' ? 'cancelled' : 'running');
      if (on_failure === 'continue') finish(world, true);
      settle(world);
      expect([world.state, world.reason]).toEqual(['failure', 'stage 1 did not succeed']);
    }
  });

  it('given manual promotion, then it waits after the stage, once, and not after the last one', () => {
    const world = newWorld([stageOf({ promotion: 'manual' }), stageOf({ promotion: 'manual' })]);
    settle(world);
    finish(world, true);
    settle(world);
    expect(world.state).toBe('waiting');
    set(world, 'running');
    settle(world);
    finish(world, true);
    settle(world);
    expect(world.state).toBe('success');
  });

  it('given a stage that is cancelled while it is to come, then the stage before it keeps its say in what follows', () => {
    const before = [stageOf({ state: 'failure' }), stageOf({ state: 'success', promotion: 'manual' })];
    const verdicts = before.map((one) => {
      const world = newWorld([one, stageOf({ state: 'cancelled', on_failure: 'continue' }), stageOf()]);
      settle(world);
      return [world.state, world.stages[2]!.state, world.reason];
    });
    expect(verdicts).toEqual([
      ['failure', 'cancelled', 'stage 1 did not succeed'],
      ['waiting', 'pending', 'stage 1 is over: waits for promotion'],
    ]);
  });

  it('given that what it waits for is over, then it goes on, unless it was told to wait', () => {
    const stages = [stageOf({ on_failure: 'continue' }), stageOf({ on_failure: 'continue' }), stageOf()];
    for (const to of ['timeout', 'cancelled'] as const) {
      const world = newWorld([...stages]);
      settle(world);
      happen(world, 'paused', 0);
      settle(world);
      expect([world.state, world.reason]).toEqual(['waiting', 'stage 1 is paused']);
      happen(world, to, 0);
      settle(world);
      expect([world.state, world.stages[1]!.state]).toEqual(['running', 'running']);
    }
    const told = newWorld([...stages]);
    set(told, 'waiting');
    settle(told);
    happen(told, 'cancelled', 0);
    settle(told);
    expect([told.state, told.reason]).toEqual(['waiting', 'paused']);
    for (const place of [1, 2]) happen(told, 'cancelled', place);
    settle(told);
    expect(told.state).toBe('failure');
  });

  it('given that its time is up when all of its stages are over, then it still ends as they did', () => {
    const world: World = { ...newWorld([stageOf({ state: 'success' })]), state: 'complete', late: true };
    settle(world);
    expect(world.state).toBe('success');
  });
});

describe('a status that is set', () => {
  const wishes = fc.constantFrom<RunWish>('run', 'cancel', 'time_out');
  it('given a run that is to end, then its refusal says that', () => {
    const refused = (['cancel', 'time_out'] as const).map((wish) =>
      judgeRun('running', { state: 'running', wish, waits: true }),
    );
    expect(refused).toEqual([
      { refused: 'a run that is being cancelled cannot be set to running' },
      { refused: 'a run that is timing out cannot be set to running' },
    ]);
    expect(judgeRun('waiting', { state: 'cancelled', wish: 'cancel', waits: false })).toEqual({
      refused: 'a run that is cancelled cannot be set to waiting',
    });
  });

  it('given any run, then it is refused with what it is, changes nothing, or is a wish', () => {
    fc.assert(
      fc.property(fc.constantFrom(...RUN_STATES), wishes, fc.boolean(), (state, wish, waits) => {
        for (const to of ['running', 'waiting', 'cancelled'] as const) {
          const verdict = judgeRun(to, { state, wish, waits });
          if (verdict && typeof verdict === 'object')
            expect(verdict.refused).toMatch(new RegExp(`that is (${state}|being cancelled|timing out) cannot`));
          else if (to !== 'cancelled') expect(isEnd(pipelineRunLifecycle, state)).toBe(false);
        }
      }),
    );
    expect(statesOf(stageRunLifecycle).sort()).toEqual([...STAGE_RUN_STATES].sort());
  });
});
