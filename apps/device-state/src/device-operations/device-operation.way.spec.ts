import { DEVICE_OPERATION_STATES, deviceOperationEntity, type DeviceOperationState } from '@muster/contracts';
import { canMove, isEnd, openStates, statesOf } from '@muster/lifecycle';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { deviceOperationLifecycle as lifecycle } from './device-operation.lifecycle.js';
import { countMoves, countOf, wasSent, wayTo, type CountChanges } from './device-operation.way.js';

const states = fc.constantFrom(...statesOf(lifecycle));

describe('the lifecycle of a device operation', () => {
  it('has the states that the contract tells the outside, each with a number of its own', () => {
    expect(statesOf(lifecycle).toSorted()).toEqual([...deviceOperationEntity.states].toSorted());
    expect(lifecycle.initial).toBe('CREATED');
    expect(new Set(Object.values(DEVICE_OPERATION_STATES)).size).toBe(9);
  });

  it('given what awaits its proof, then neither a cancel nor time ends it but the proof', () => {
    expect(lifecycle.states.COMPLETED.to).toEqual(['SUCCESS', 'FAILURE']);
  });
});

describe('the way of a device operation', () => {
  it('given any two states, then each step of the way is a move that the lifecycle knows, and it leads there', () => {
    fc.assert(
      fc.property(states, states, fc.boolean(), (from, to, sent) => {
        const way = wayTo(from, to, sent);
        if (!way) return;
        let at = from;
        for (const next of way) {
          expect(canMove(lifecycle, at, next)).toBe(true);
          at = next;
        }
        expect(at).toBe(to);
      }),
    );
  });

  it('given an end, then no way leads on, not even to another end', () => {
    fc.assert(
      fc.property(states, states, (from, to) => {
        if (isEnd(lifecycle, from) && from !== to) expect(wayTo(from, to)).toBeUndefined();
      }),
    );
  });

  it('given an open state, then every end lies ahead, but for the proof that nothing but a report gives', () => {
    for (const from of openStates(lifecycle))
      for (const to of ['SUCCESS', 'FAILURE', 'TIMEOUT', 'CANCELLED'] as const)
        expect(wayTo(from, to) !== undefined).toBe(from !== 'COMPLETED' || to === 'SUCCESS' || to === 'FAILURE');
  });

  it.each<[DeviceOperationState, DeviceOperationState, boolean, string]>([
    ['INITIATED', 'SUCCESS', true, 'DISPATCHED PROCESSING COMPLETED SUCCESS'],
    ['INITIATED', 'FAILURE', true, 'DISPATCHED PROCESSING COMPLETED FAILURE'],
    ['INITIATED', 'FAILURE', false, 'FAILURE'],
    ['INITIATED', 'TIMEOUT', true, 'DISPATCHED TIMEOUT'],
    ['INITIATED', 'TIMEOUT', false, 'TIMEOUT'],
    ['DISPATCHED', 'FAILURE', false, 'PROCESSING COMPLETED FAILURE'],
    ['PROCESSING', 'CANCELLED', false, 'CANCELLED'],
    ['CREATED', 'PROCESSING', false, 'INITIATED DISPATCHED PROCESSING'],
    ['CREATED', 'SUCCESS', false, 'COMPLETED SUCCESS'],
  ])('given %s to %s, sent: %s, then it is %s', (from, to, sent, way) => {
    expect(wayTo(from, to, sent)?.join(' ')).toBe(way);
  });

  it('given a step that lies behind, then there is no way back', () => {
    expect(wayTo('PROCESSING', 'DISPATCHED')).toBeUndefined();
    expect(wayTo('PROCESSING', 'PROCESSING')).toEqual([]);
  });
});

describe('the counts', () => {
  it('given any moves of many, then they add up to what is where, what was sent, and what failed without it', () => {
    const goals = fc.array(fc.tuple(states, fc.boolean()), { maxLength: 6 });
    fc.assert(
      fc.property(fc.array(goals, { minLength: 1, maxLength: 8 }), (all) => {
        const changes: CountChanges = { in_created: all.length };
        const ended = all.map((goalsOfOne) => {
          const been: DeviceOperationState[] = ['CREATED'];
          for (const [goal, sent] of goalsOfOne)
            for (const to of wayTo(been.at(-1)!, goal, sent) ?? []) {
              countMoves(to, [{ from: been.at(-1)!, cancel_requested: false }], changes);
              been.push(to);
            }
          return been;
        });
        for (const state of statesOf(lifecycle))
          expect(changes[countOf(state)] ?? 0).toBe(ended.filter((been) => been.at(-1) === state).length);
        const sent = ended.filter((been) => been.includes('DISPATCHED'));
        expect(changes.sent ?? 0).toBe(sent.length);
        // What needed no command and was not proved cannot be: it is compared before.
        const unsent = ended.filter(
          (been) =>
            ['FAILURE', 'TIMEOUT'].includes(been.at(-1)!) &&
            !been.includes('DISPATCHED') &&
            been.at(-2) !== 'COMPLETED',
        );
        expect(changes.unsent ?? 0).toBe(unsent.length);
      }),
    );
  });

  it('given one whose cancel was asked for, then it counts as stopping until its end', () => {
    const moved = [{ from: 'INITIATED', cancel_requested: true }];
    expect(countMoves('DISPATCHED', moved).stopping).toBeUndefined();
    expect(countMoves('CANCELLED', moved)).toEqual({ in_initiated: -1, in_cancelled: 1, stopping: -1 });
  });
});

describe('whether a command was sent', () => {
  it.each([
    ['FAILURE', 'exit_1', true],
    ['FAILURE', 'unknown_device', false],
    ['TIMEOUT', 'in_progress_timeout', true],
    ['TIMEOUT', 'never_contacted', false],
    ['TIMEOUT', 'window_missed', false],
    ['FAILURE', 'lock_lost', false],
    ['SUCCESS', '', true],
    ['CANCELLED', 'cancelled', false],
  ] as const)('given %s by %s, then it is %s', (status, code, sent) => {
    expect(wasSent(status, code)).toBe(sent);
  });
});
