import { JOB_ACTIONS, type JobAction, type JobStatus } from '@muster/contracts';
import { canMove, statesOf } from '@muster/lifecycle';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Wish } from '../rollout/rollout.decide.js';
import { EMPTY_TALLY } from '../rollout/tally.js';
import { derivedStatus, judgeAction } from './job.decide.js';
import { jobLifecycle } from './job.lifecycle.js';

describe('the derived status', () => {
  const count = fc.nat(5);
  it('given any ends, then all succeeded means Successful, some Partially_successful, none Failed or Timed_out', () => {
    fc.assert(
      fc.property(count, count, count, count, fc.boolean(), (succeeded, failed, timed_out, cancelled, cut) => {
        const total = succeeded + failed + timed_out + cancelled;
        const status = derivedStatus({ ...EMPTY_TALLY, succeeded, failed, timed_out, cancelled, cut });
        if (total > 0 && succeeded === total && !cut) expect(status).toBe('Successful');
        else if (succeeded > 0) expect(status).toBe('Partially_successful');
        else if ((total > 0 || cut) && timed_out === total) expect(status).toBe('Timed_out');
        else expect(status).toBe('Failed');
      }),
    );
  });
});

describe('an action', () => {
  const states = fc.constantFrom(...statesOf(jobLifecycle));
  const wishes = fc.constantFrom<Wish>('run', 'pause', 'cancel', 'rollback');

  it('given any status, then it is either refused with a reason or a move that the lifecycle knows', () => {
    fc.assert(
      fc.property(fc.constantFrom(...JOB_ACTIONS), states, wishes, (action, state, wish) => {
        const verdict = judgeAction(action, { state, wish, tasks_deleted_at: null, over: false });
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
      const verdict = judgeAction(action, { state, wish: 'run', tasks_deleted_at: null, over: false });
      return verdict !== null && !('refused' in verdict);
    });
    expect(open.sort()).toEqual(allowed[action].sort());
  });

  it('given a job whose tasks are deleted, then a retry is refused with the day, from whatever status', () => {
    fc.assert(
      fc.property(states, wishes, (state, wish) => {
        const tasks_deleted_at = new Date('2026-03-01T10:00:00Z');
        expect(judgeAction('retry', { state, wish, tasks_deleted_at, over: false })).toEqual({
          refused: 'the tasks of the job were deleted on 2026-03-01: there is nothing left to retry',
        });
      }),
    );
  });
});
