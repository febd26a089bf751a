import type { OperationState } from '@muster/contracts';
import { canMove, isEnd, statesOf } from '@muster/lifecycle';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { judgeCancel, nextStep, resolvedCount, waitsFor, type OperationFacts, type Wish } from './operation.decide.js';
import { operationLifecycle } from './operation.lifecycle.js';

interface World extends OperationFacts {
  /** Devices of the query that have no device operation yet. */
  unresolved: number;
  total: number;
  been: OperationState[];
  asked: number;
}

const newWorld = (total: number, open: boolean, rolledOut = false): World => ({
  state: 'CREATED',
  wish: 'run',
  open,
  late: false,
  resolved: false,
  fault: '',
  rollout_state: rolledOut ? 'new' : 'none',
  unresolved: total,
  total,
  been: ['CREATED'],
  asked: 0,
  in_created: 0,
  in_initiated: 0,
  in_dispatched: 0,
  in_processing: 0,
  in_completed: 0,
  in_success: 0,
  in_failure: 0,
  in_timeout: 0,
  in_cancelled: 0,
  sent: 0,
  unsent: 0,
  stopping: 0,
});

const enter = (world: World, to: OperationState) => {
  expect(canMove(operationLifecycle, world.state, to)).toBe(true);
  world.state = to;
  world.been.push(to);
};

const inFlight = (world: World) => world.in_initiated + world.in_dispatched + world.in_processing + world.in_completed;

/** Carries a step out as the engine does, on numbers alone. */
function apply(world: World, page: number): boolean {
  const step = nextStep(world);
  switch (step.do) {
    case 'enter':
      enter(world, step.state);
      return true;
    case 'resolve': {
      const count = Math.min(world.unresolved, page);
      world.unresolved -= count;
      world.in_created += count;
      world.resolved = world.unresolved === 0;
      return true;
    }
    case 'dispatch': {
      const count = Math.min(world.in_created, page);
      expect(count).toBeGreaterThan(0);
      world.in_created -= count;
      world.in_initiated += count;
      world.asked += count;
      return true;
    }
    case 'hand_over':
      expect(world.rollout_state).toBe('new');
      world.rollout_state = 'given';
      return true;
    case 'stop_rollout':
      expect(['new', 'given']).toContain(world.rollout_state);
      world.rollout_state = 'stopped';
      return true;
    case 'settle': {
      const before = world.in_created + inFlight(world);
      expect(before).toBeGreaterThan(0);
      const open = ['in_created', 'in_initiated', 'in_dispatched', 'in_processing', 'in_completed'] as const;
      for (let left = page; left > 0; left--) {
        const from = open.find((name) => world[name] > 0);
        if (!from) break;
        world[from]--;
        world.in_cancelled++;
      }
      world.stopping = Math.min(world.stopping, inFlight(world));
      return true;
    }
    case 'time_out':
      world.wish = 'time_out';
      return true;
    case 'stop_created': {
      const count = Math.min(world.in_created, page);
      world.in_created -= count;
      world.in_cancelled += count;
      return true;
    }
    case 'stop_in_flight':
      world.stopping = Math.min(inFlight(world), world.stopping + page);
      return true;
    case 'end':
      for (const state of step.through) enter(world, state);
      return false;
    case 'wait':
      return false;
  }
}

const settle = (world: World, page: number) => {
  for (let steps = 0; apply(world, page); steps++) expect(steps).toBeLessThan(10_000);
};

/** `turn`: the rollout lets a device begin; `over`: it has ended, or stopped. */
type Happening =
  'turn' | 'over' | 'step' | 'take' | 'succeed' | 'prove' | 'fail' | 'lose' | 'cancelled' | 'open' | 'late' | 'cancel';

const end = (
  world: World,
  from: 'in_initiated' | 'in_processing' | 'in_completed',
  to: 'in_success' | 'in_failure' | 'in_timeout' | 'in_cancelled',
) => {
  if (world[from] === 0) return;
  world[from]--;
  world[to]++;
  world.stopping = Math.min(world.stopping, inFlight(world));
};

function happen(world: World, what: Happening): void {
  const move = (
    from: 'in_initiated' | 'in_dispatched' | 'in_processing',
    to: 'in_dispatched' | 'in_processing' | 'in_completed',
  ) => {
    if (world[from] === 0) return;
    world[from]--;
    world[to]++;
    if (to === 'in_dispatched') world.sent++;
  };
  switch (what) {
    case 'turn':
      if (world.rollout_state !== 'given' || world.wish !== 'run' || world.in_created === 0) return;
      world.in_created--;
      world.in_initiated++;
      world.asked++;
      return;
    case 'over':
      if (world.rollout_state === 'given' || world.rollout_state === 'stopped') world.rollout_state = 'over';
      return;
    case 'step':
      return move('in_initiated', 'in_dispatched');
    case 'take':
      return move('in_dispatched', 'in_processing');
    case 'succeed':
      return move('in_processing', 'in_completed');
    case 'prove':
      return end(world, 'in_completed', 'in_success');
    case 'fail':
      return end(world, 'in_completed', 'in_failure');
    case 'lose':
      return end(world, 'in_initiated', 'in_timeout');
    case 'cancelled':
      return end(world, 'in_processing', 'in_cancelled');
    case 'open':
      world.open = true;
      return;
    case 'late':
      world.late = true;
      return;
    case 'cancel':
      if (judgeCancel(world) === 'cancel') world.wish = 'cancel';
  }
}

const usual: Happening[] = ['turn', 'step', 'take', 'succeed', 'prove', 'fail', 'lose', 'cancelled', 'open'];
const happenings = (...others: Happening[]) => fc.array(fc.constantFrom(...usual, ...others), { maxLength: 60 });

/** Lets everything that is open end, as devices, the dispatcher and the rollout do in the end. */
function drain(world: World, page: number): void {
  world.open = true;
  settle(world, page);
  for (let left = 0; left <= 5 * world.total && !isEnd(operationLifecycle, world.state); left++) {
    for (const what of ['turn', 'step', 'take', 'succeed', 'prove'] as const) happen(world, what);
    if (inFlight(world) + world.in_created === 0) happen(world, 'over');
    settle(world, page);
  }
  expect(isEnd(operationLifecycle, world.state)).toBe(true);
  expect(inFlight(world) + world.in_created).toBe(0);
}

const sizes = [fc.integer({ min: 0, max: 20 }), fc.integer({ min: 1, max: 7 }), fc.boolean(), fc.boolean()] as const;

describe('the next step of an operation', () => {
  it('given anything at any moment, then it moves only as its lifecycle says, loses no device, and comes to an end', () => {
    fc.assert(
      fc.property(...sizes, happenings('cancel', 'late', 'over'), (total, page, open, rolled, events) => {
        const world = newWorld(total, open, rolled);
        settle(world, page);
        for (const event of events) {
          happen(world, event);
          settle(world, page);
          expect(resolvedCount(world) + world.unresolved).toBe(total);
        }
        drain(world, page);
      }),
    );
  });

  it('given a cancel at any moment, even between two steps, then no further device is asked and it ends CANCELLED', () => {
    fc.assert(
      fc.property(...sizes, happenings(), fc.nat(40), (total, page, open, rolled, events, steps) => {
        const world = newWorld(total, open, rolled);
        for (const event of events) {
          happen(world, event);
          for (let i = 0; i < steps % 4; i++) apply(world, page);
        }
        for (let i = 0; i < steps; i++) apply(world, page);
        if (isEnd(operationLifecycle, world.state)) return;
        happen(world, 'cancel');
        const { asked } = world;
        drain(world, page);
        expect([world.state, world.asked]).toEqual(['CANCELLED', asked]);
      }),
    );
  });

  it('given nobody who stops it, then it succeeds if and only if every device did, and there is one', () => {
    fc.assert(
      fc.property(...sizes, happenings(), (total, page, open, rolled, events) => {
        const world = newWorld(total, open, rolled);
        settle(world, page);
        for (const event of events) {
          happen(world, event);
          settle(world, page);
        }
        drain(world, page);
        expect(world.state).toBe(total > 0 && world.in_success === total ? 'SUCCESS' : 'FAILURE');
        const ways = ['CREATED', ...(open ? [] : ['SCHEDULED']), 'RESOLVING', 'RESOLVED', 'DISPATCHING', 'DISPATCHED'];
        expect(world.been).toEqual([...ways, 'PROCESSING', 'COMPLETED', world.state]);
      }),
    );
  });

  it('given a rollout that is over, then what it left open ends, and no device is asked any more', () => {
    fc.assert(
      fc.property(...sizes, happenings(), (total, page, open, _rolled, events) => {
        const world = newWorld(total, open, true);
        settle(world, page);
        for (const event of events) {
          happen(world, event);
          settle(world, page);
        }
        if (world.rollout_state !== 'given') return;
        happen(world, 'over');
        const { asked } = world;
        settle(world, page);
        expect([isEnd(operationLifecycle, world.state), world.asked, inFlight(world) + world.in_created]).toEqual([
          true,
          asked,
          0,
        ]);
      }),
    );
  });

  it('given a window that is not open, then no device is resolved; given that its time is up, then it ends TIMEOUT', () => {
    const world = newWorld(3, false);
    settle(world, 5);
    expect([world.state, resolvedCount(world)]).toEqual(['SCHEDULED', 0]);
    happen(world, 'late');
    drain(world, 5);
    expect(world.state).toBe('TIMEOUT');
  });
});

describe('an operation with a rollout', () => {
  it('given that all of its devices have ended, then it waits for the word that the rollout is over, and ends with its reason', () => {
    const world = newWorld(2, true, true);
    settle(world, 5);
    for (const what of ['turn', 'lose', 'turn', 'lose'] as const) happen(world, what);
    settle(world, 5);
    expect([world.state, nextStep(world)]).toEqual(['PROCESSING', { do: 'wait' }]);
    world.fault = 'stop rule 1';
    happen(world, 'over');
    expect(nextStep(world)).toEqual({ do: 'end', through: ['COMPLETED', 'FAILURE'], reason: 'stop rule 1' });
  });

  it('given a cancel while it may have been handed over, then the rollout is stopped before the operation ends', () => {
    const world = newWorld(2, true, true);
    for (const state of ['RESOLVING', 'RESOLVED'] as const) {
      for (let steps = 0; world.state !== state && steps < 10; steps++) apply(world, 5);
    }
    expect(nextStep(world)).toEqual({ do: 'hand_over' });
    happen(world, 'cancel');
    expect(nextStep(world)).toEqual({ do: 'stop_created' });
    apply(world, 5);
    expect(nextStep(world)).toEqual({ do: 'stop_rollout' });
    apply(world, 5);
    expect(nextStep(world)).toEqual({ do: 'end', through: ['CANCELLED'] });
  });
});

describe('a cancel', () => {
  it('given any state and wish, then it is taken, is so already, or is refused with the state', () => {
    const wishes = fc.constantFrom<Wish>('run', 'cancel', 'time_out');
    fc.assert(
      fc.property(fc.constantFrom(...statesOf(operationLifecycle)), wishes, (state, wish) => {
        const verdict = judgeCancel({ state, wish });
        if (state === 'CANCELLED') expect(verdict).toBeNull();
        else if (isEnd(operationLifecycle, state))
          expect(verdict).toEqual({ refused: expect.stringContaining(state) as string });
        else expect(verdict).toBe(wish === 'run' ? 'cancel' : null);
      }),
    );
  });
});

it('given an operation that has not ended, then there is a word for what it waits for', () => {
  for (const state of statesOf(operationLifecycle))
    expect([state, state in waitsFor]).toEqual([state, !isEnd(operationLifecycle, state)]);
});
