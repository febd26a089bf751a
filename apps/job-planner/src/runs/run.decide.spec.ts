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
  waits: false,
  promoted: 0,
  late: false,
  stages,
});

const moveStage = (world: World, place: number, to: StageRunState) => {
  const stage = world.stages[place]!;
  expect(canMove(stageRunLifecycle, stage.state, to)).toBe(true);
  world.stages[place] = { ...stage, state: to };
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
        if (step.state === 'waiting') world.waits = false;
        break;
      case 'pause':
        enter('waiting');
        world.waits = false;
        break;
      case 'time_out':
        world.wish = 'time_out';
        break;
      case 'skip':
        for (const [place, { state }] of world.stages.entries())
          if (state === 'pending') moveStage(world, place, step.as);
        break;
      case 'start_stage':
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
  if (place < 0) return;
  moveStage(world, place, 'complete');
  moveStage(world, place, well ? 'success' : 'failure');
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
};

const anyStage = fc.record({ promotion: fc.constantFrom(...PROMOTIONS), on_failure: fc.constantFrom(...ON_FAILURE) });
const anyEvent = fc.oneof(
  { weight: 4, arbitrary: fc.boolean() },
  {
    weight: 1,
    arbitrary: fc.constantFrom('running' as const, 'waiting' as const, 'cancelled' as const, 'late' as const),
  },
);

describe('a run', () => {
  it('given any stages, ends of them and actions, then it keeps to its table and, promoted whenever it waits, comes to an end', () => {
    fc.assert(
      fc.property(fc.array(anyStage, { maxLength: 5 }), fc.array(anyEvent, { maxLength: 20 }), (stages, events) => {
        const world = newWorld(stages.map((stage) => stageOf(stage)));
        settle(world);
        for (const event of events) {
          if (typeof event === 'boolean') finish(world, event);
          else if (event === 'late') world.late = true;
          else set(world, event);
          settle(world);
          expect(world.stages.filter(({ state }) => state === 'running').length).toBeLessThanOrEqual(1);
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
    expect(world.state).toBe('invalid');
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
      expect(world.state).toBe('failure');
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

  it('given that its time is up when all of its stages are over, then it still ends as they did', () => {
    const world: World = { ...newWorld([stageOf({ state: 'success' })]), state: 'complete', late: true };
    settle(world);
    expect(world.state).toBe('success');
  });
});

describe('a status that is set', () => {
  const wishes = fc.constantFrom<RunWish>('run', 'cancel', 'time_out');
  it('given any run, then it is refused with its status, changes nothing, or is a wish', () => {
    fc.assert(
      fc.property(fc.constantFrom(...RUN_STATES), wishes, fc.boolean(), (state, wish, waits) => {
        for (const to of ['running', 'waiting', 'cancelled'] as const) {
          const verdict = judgeRun(to, { state, wish, waits });
          if (verdict && typeof verdict === 'object') expect(verdict.refused).toContain(state);
          else if (to !== 'cancelled') expect(isEnd(pipelineRunLifecycle, state)).toBe(false);
        }
      }),
    );
    expect(statesOf(stageRunLifecycle).sort()).toEqual([...STAGE_RUN_STATES].sort());
  });
});
