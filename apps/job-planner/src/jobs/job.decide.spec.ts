import { JOB_ACTIONS, type JobAction, type JobStatus } from '@muster/contracts';
import { canMove, isEnd, statesOf } from '@muster/lifecycle';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { derivedStatus, judgeAction, nextStep, startsAtBirth, type JobFacts, type Wish } from './job.decide.js';
import { jobLifecycle } from './job.lifecycle.js';

interface World extends JobFacts {
  /** Targets that have no task yet. */
  unplanned: number;
  total: number;
  exposed: number;
}

const move = (world: World, to: JobStatus) => {
  expect(canMove(jobLifecycle, world.state, to)).toBe(true);
  world.state = to;
};

/** Carries a step out as the engine does, on numbers alone. */
function apply(world: World, page: number): boolean {
  const step = nextStep(world);
  switch (step.do) {
    case 'plan': {
      const count = Math.min(world.unplanned, page);
      const starting = startsAtBirth(world, count);
      if (starting > 0 && world.state === 'Waiting') move(world, 'Running');
      world.unplanned -= count;
      world.pending += count - starting;
      world.in_flight += starting;
      world.exposed += starting;
      world.planned = world.unplanned === 0;
      return true;
    }
    case 'release':
      expect(step.count).toBeGreaterThan(0);
      if (world.state === 'Waiting') move(world, 'Running');
      world.pending -= step.count;
      world.in_flight += step.count;
      world.exposed += step.count;
      return true;
    case 'reopen':
      world.pending += world.failed + world.timed_out + world.cancelled;
      world.failed = world.timed_out = world.cancelled = 0;
      world.reopening = false;
      return true;
    case 'stop_pending':
      world.cancelled += world.pending;
      world.pending = 0;
      return true;
    case 'stop_in_flight':
      world.stopping = world.in_flight;
      return true;
    case 'end':
      move(world, step.state);
      return false;
    case 'wait':
      return false;
  }
}

const settle = (world: World, page: number) => {
  for (let steps = 0; apply(world, page); steps++) expect(steps).toBeLessThan(10_000);
};

const newWorld = (total: number, max_in_flight: number): World => ({
  state: 'Waiting',
  wish: 'run',
  planned: false,
  reopening: false,
  max_in_flight,
  unplanned: total,
  total,
  exposed: 0,
  pending: 0,
  in_flight: 0,
  stopping: 0,
  succeeded: 0,
  failed: 0,
  timed_out: 0,
  cancelled: 0,
});

const act = (world: World, action: JobAction) => {
  const verdict = judgeAction(action, { ...world, tasks_deleted_at: null });
  if (verdict === null || 'refused' in verdict) return;
  if (verdict.to !== world.state) move(world, verdict.to);
  world.wish = verdict.wish;
  if (action === 'retry') world.reopening = true;
};

const outcome = (world: World, into: 'succeeded' | 'failed' | 'timed_out' | 'cancelled') => {
  if (world.in_flight === 0) return;
  world.in_flight--;
  world.stopping = Math.min(world.stopping, world.in_flight);
  world[into]++;
};

const happenings = fc.array(
  fc.oneof(
    { weight: 8, arbitrary: fc.constantFrom('succeeded' as const, 'failed' as const, 'timed_out' as const) },
    { weight: 1, arbitrary: fc.constantFrom(...JOB_ACTIONS) },
  ),
  { maxLength: 60 },
);

describe('the next step of a job', () => {
  it('given any outcomes and actions at any moment, then it keeps its limits, never loses a task, and comes to an end', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 30 }),
        fc.integer({ min: 1, max: 8 }),
        fc.integer({ min: 1, max: 10 }),
        happenings,
        (total, slots, page, events) => {
          const world = newWorld(total, slots);
          settle(world, page);
          for (const event of events) {
            if (event === 'succeeded' || event === 'failed' || event === 'timed_out') outcome(world, event);
            else act(world, event);
            settle(world, page);
            expect(world.in_flight).toBeLessThanOrEqual(slots);
            const { pending, in_flight, succeeded, failed, timed_out, cancelled, unplanned } = world;
            expect(pending + in_flight + succeeded + failed + timed_out + cancelled + unplanned).toBe(total);
          }
          for (let left = 0; left <= 2 * total && !isEnd(jobLifecycle, world.state); left++) {
            outcome(world, world.wish === 'cancel' ? 'cancelled' : 'succeeded');
            settle(world, page);
          }
          expect(isEnd(jobLifecycle, world.state)).toBe(true);
          expect(world.in_flight).toBe(0);
        },
      ),
    );
  });

  it('given a job that stops, then no further device is exposed', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 5, max: 30 }),
        fc.constantFrom('pause' as const, 'cancel' as const),
        fc.nat(20),
        (total, action, before) => {
          const world = newWorld(total, 4);
          settle(world, 10);
          for (let i = 0; i < before; i++) {
            outcome(world, 'succeeded');
            settle(world, 10);
          }
          const { exposed } = world;
          act(world, action);
          if (world.wish === 'run') return;
          for (let i = 0; i < total; i++) {
            settle(world, 10);
            outcome(world, 'failed');
          }
          expect(world.exposed).toBe(exposed);
        },
      ),
    );
  });
});

describe('the tasks of a page that was just planned', () => {
  const facts = (change: Partial<JobFacts>): JobFacts => ({ ...newWorld(0, 5), ...change });

  it('given free slots and nothing that waits, then as many start at once as there are slots', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 20 }), fc.nat(25), fc.nat(20), (max_in_flight, in_flight, created) => {
        const starting = startsAtBirth(facts({ state: 'Running', max_in_flight, in_flight }), created);
        expect(starting).toBe(Math.min(created, Math.max(0, max_in_flight - in_flight)));
      }),
    );
  });

  it.each([
    ['older tasks wait', { pending: 1 }],
    ['a retry is reopening tasks', { reopening: true }],
    ['it was paused', { state: 'Stopping', wish: 'pause' }],
    ['it is stopped', { state: 'Stopped', wish: 'pause' }],
    ['it was cancelled', { state: 'Stopping', wish: 'cancel' }],
  ] as const)('given a job with free slots of which %s, then none starts', (_what, change) => {
    expect(startsAtBirth(facts(change), 3)).toBe(0);
    expect(startsAtBirth(facts({}), 3)).toBe(3);
  });
});

describe('the derived status', () => {
  const count = fc.nat(5);
  it('given any ends, then all succeeded means Successful, some Partially_successful, none Failed or Timed_out', () => {
    fc.assert(
      fc.property(count, count, count, count, (succeeded, failed, timed_out, cancelled) => {
        const total = succeeded + failed + timed_out + cancelled;
        const status = derivedStatus({
          pending: 0,
          in_flight: 0,
          stopping: 0,
          succeeded,
          failed,
          timed_out,
          cancelled,
        });
        if (total > 0 && succeeded === total) expect(status).toBe('Successful');
        else if (succeeded > 0) expect(status).toBe('Partially_successful');
        else if (total > 0 && timed_out === total) expect(status).toBe('Timed_out');
        else expect(status).toBe('Failed');
      }),
    );
  });
});

describe('an action', () => {
  const states = fc.constantFrom(...statesOf(jobLifecycle));
  const wishes = fc.constantFrom<Wish>('run', 'pause', 'cancel');

  it('given any status, then it is either refused with a reason or a move that the lifecycle knows', () => {
    fc.assert(
      fc.property(fc.constantFrom(...JOB_ACTIONS), states, wishes, (action, state, wish) => {
        const verdict = judgeAction(action, { state, wish, tasks_deleted_at: null });
        if (verdict === null) expect(action).toBe('cancel');
        else if ('refused' in verdict) expect(verdict.refused).not.toBe('');
        else expect(verdict.to === state || canMove(jobLifecycle, state, verdict.to)).toBe(true);
      }),
    );
  });

  const allowed: Record<JobAction, JobStatus[]> = {
    pause: ['Waiting', 'Running'],
    restore: ['Stopped'],
    retry: ['Failed', 'Partially_successful', 'Timed_out'],
    cancel: ['Waiting', 'Running', 'Stopping', 'Stopped'],
  };
  it.each(JOB_ACTIONS)('%s is allowed exactly where the interface says', (action) => {
    const open = statesOf(jobLifecycle).filter((state) => {
      const verdict = judgeAction(action, { state, wish: 'run', tasks_deleted_at: null });
      return verdict !== null && !('refused' in verdict);
    });
    expect(open.sort()).toEqual(allowed[action].sort());
  });

  it('given a job whose tasks are deleted, then a retry is refused with the day, from whatever status', () => {
    fc.assert(
      fc.property(states, wishes, (state, wish) => {
        const tasks_deleted_at = new Date('2026-03-01T10:00:00Z');
        expect(judgeAction('retry', { state, wish, tasks_deleted_at })).toEqual({
          refused: 'the tasks of the job were deleted on 2026-03-01: there is nothing left to retry',
        });
      }),
    );
  });
});
