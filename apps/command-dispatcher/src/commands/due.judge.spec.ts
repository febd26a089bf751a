import { COMMAND_STATES, COMMAND_OUTCOMES, type CommandState } from '@muster/contracts';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { judgeDue, type DueCommand } from './due.judge.js';

const command: fc.Arbitrary<DueCommand> = fc.record({
  id: fc.uuid(),
  state: fc.constantFrom(...COMMAND_STATES),
  attempt: fc.integer({ min: 0, max: 5 }),
  cancel_requested: fc.boolean(),
  retries: fc.boolean(),
  expired: fc.boolean(),
  missed: fc.boolean(),
  overdue: fc.boolean(),
});

describe('what becomes of a command whose time has come', () => {
  it('given one that has ended, then nothing', () => {
    fc.assert(
      fc.property(command, fc.constantFrom<CommandState>(...COMMAND_OUTCOMES), (one, state) => {
        expect(judgeDue({ ...one, state })).toBe('wait');
      }),
    );
  });

  it('given one that waits and has expired, then it ends as never contacted exactly if it was never sent', () => {
    fc.assert(
      fc.property(command, fc.constantFrom<CommandState>('QUEUED', 'SCHEDULED'), (one, state) => {
        const step = judgeDue({ ...one, state, expired: true });
        expect(step).toBe(one.attempt === 0 ? 'never_contacted' : 'no_further_attempt');
      }),
    );
  });

  it('given one in the queue, then it leaves it for a missed window alone, and what is SCHEDULED comes to the queue first', () => {
    fc.assert(
      fc.property(command, (one) => {
        expect(judgeDue({ ...one, state: 'QUEUED', expired: false })).toBe(one.missed ? 'missed' : 'wait');
        expect(judgeDue({ ...one, state: 'SCHEDULED', expired: false })).toBe('queue');
      }),
    );
  });

  it('given one in flight, then neither its expiry nor its window ends it, but its deadline', () => {
    fc.assert(
      fc.property(command, fc.constantFrom<CommandState>('INITIATED', 'ACKNOWLEDGED', 'INPROGRESS'), (one, state) => {
        const late = one.cancel_requested ? 'unanswered' : 'too_long';
        expect(judgeDue({ ...one, state })).toBe(one.overdue ? late : 'ask');
      }),
    );
  });
});
