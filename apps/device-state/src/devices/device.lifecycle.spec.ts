import { deviceEntity } from '@muster/contracts';
import { canMove, isEnd, sourcesOf, statesOf } from '@muster/lifecycle';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { deviceLifecycle } from './device.lifecycle.js';

describe('the lifecycle of a device', () => {
  it('has the states that the contract tells the outside, and begins as registered', () => {
    expect(statesOf(deviceLifecycle).toSorted()).toEqual([...deviceEntity.states].toSorted());
    expect(deviceLifecycle.initial).toBe('REGISTERED');
  });

  it('given any walk, then it never ends, online and offline take turns, and nothing leads back to registered', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(), { minLength: 1, maxLength: 50 }), (choices) => {
        const walk = [deviceLifecycle.initial];
        for (const choice of choices) {
          const next = deviceLifecycle.states[walk.at(-1)!].to;
          walk.push(next[choice % next.length]!);
        }
        expect(walk.slice(1)).toEqual(choices.map((_, step) => (step % 2 === 0 ? 'ONLINE' : 'OFFLINE')));
      }),
    );
    expect(statesOf(deviceLifecycle).some((state) => isEnd(deviceLifecycle, state))).toBe(false);
  });

  it('given a device that was never online, then it cannot go offline', () => {
    expect(canMove(deviceLifecycle, 'REGISTERED', 'OFFLINE')).toBe(false);
    expect(sourcesOf(deviceLifecycle, 'ONLINE')).toEqual(['REGISTERED', 'OFFLINE']);
  });
});
