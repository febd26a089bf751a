import { OPERATION_STATES, operationEntity } from '@muster/contracts';
import { canMove, isEnd, openStates, statesOf } from '@muster/lifecycle';
import { describe, expect, it } from 'vitest';
import { operationLifecycle } from './operation.lifecycle.js';

describe('the lifecycle of an operation', () => {
  it('has the states that the contract tells the outside, each with a number of its own', () => {
    expect(statesOf(operationLifecycle).toSorted()).toEqual([...operationEntity.states].toSorted());
    expect(operationLifecycle.initial).toBe('CREATED');
    expect(new Set(Object.values(OPERATION_STATES)).size).toBe(12);
  });

  it('given any open state but the last, then it may be cancelled and run out of time; what has ended stays so', () => {
    for (const state of openStates(operationLifecycle)) {
      const stoppable = state !== 'COMPLETED';
      expect([state, canMove(operationLifecycle, state, 'CANCELLED')]).toEqual([state, stoppable]);
      expect([state, canMove(operationLifecycle, state, 'TIMEOUT')]).toEqual([state, stoppable]);
    }
    for (const state of statesOf(operationLifecycle).filter((one) => isEnd(operationLifecycle, one)))
      expect(operationLifecycle.states[state].to).toEqual([]);
  });

  it('given a success or a failure, then there is one way to it, with or without a window', () => {
    const way = ['CREATED', 'RESOLVING', 'RESOLVED', 'DISPATCHING', 'DISPATCHED', 'PROCESSING', 'COMPLETED'] as const;
    for (const [place, state] of way.slice(0, -1).entries())
      expect(canMove(operationLifecycle, state, way[place + 1]!)).toBe(true);
    expect(operationLifecycle.states.SCHEDULED.to).toContain('RESOLVING');
    for (const end of ['SUCCESS', 'FAILURE'] as const)
      expect(statesOf(operationLifecycle).filter((from) => canMove(operationLifecycle, from, end))).toEqual([
        'COMPLETED',
      ]);
  });
});
