import fc from 'fast-check';
import { randomUUID } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { fateOf, isOffline, type Behaviour } from './behaviour.js';

const behaviour = (change: Partial<Behaviour> = {}): Behaviour => ({
  seed: 's',
  failureRate: 0,
  latency: { from: 10, to: 100 },
  offlineRate: 0,
  duplicateRate: 0,
  reorderRate: 0,
  lyingRate: 0,
  driftRate: 0,
  failingVersions: [],
  ...change,
});

describe('given the behaviour of a fleet', () => {
  it('when the same execution is asked about twice, then its fate is the same, and its latency within the range', () => {
    const one = behaviour({ failureRate: 0.5, duplicateRate: 0.5, reorderRate: 0.5 });
    fc.assert(
      fc.property(fc.string(), fc.uuid(), fc.integer({ min: 1 }), (device, command, fence) => {
        const fate = fateOf(one, device, command, fence);
        expect(fateOf({ ...one }, device, command, fence)).toEqual(fate);
        expect(fate.latency).toBeGreaterThanOrEqual(10);
        expect(fate.latency).toBeLessThanOrEqual(100);
      }),
    );
  });

  it('when a rate is 0 or 1, then no execution, or every one, has it', () => {
    const always = behaviour({
      failureRate: 1,
      duplicateRate: 1,
      reorderRate: 1,
      offlineRate: 1,
      lyingRate: 1,
      driftRate: 1,
    });
    fc.assert(
      fc.property(fc.string(), fc.uuid(), (device, command) => {
        expect(fateOf(behaviour(), device, command, 1)).toMatchObject({
          fails: false,
          duplicated: false,
          reordered: false,
          lies: false,
          driftsAfter: undefined,
        });
        const fate = fateOf(always, device, command, 1);
        expect(fate).toMatchObject({ fails: true, duplicated: true, reordered: true, lies: true });
        expect(fate.driftsAfter).toBeGreaterThanOrEqual(1000);
        expect(fate.driftsAfter).toBeLessThanOrEqual(5000);
        expect([isOffline(behaviour(), device), isOffline(always, device)]).toEqual([false, true]);
      }),
    );
  });

  it('when a rate is a tenth, then a tenth of many devices and commands have it, each for itself', () => {
    const one = behaviour({ failureRate: 0.1, offlineRate: 0.1, reorderRate: 0.1 });
    const names = Array.from({ length: 20_000 }, (_, i) => `n-${String(i).padStart(5, '0')}`);
    const failing = names.map((name) => fateOf(one, name, randomUUID(), 1));
    const both = failing.filter((fate) => fate.fails && fate.reordered).length;
    expect(failing.filter((fate) => fate.fails).length / 20_000).toBeCloseTo(0.1, 1.5);
    expect(names.filter((name) => isOffline(one, name)).length / 20_000).toBeCloseTo(0.1, 1.5);
    expect(both / 20_000).toBeCloseTo(0.01, 2);
  });

  it('when the seed or the fence is another, then other executions fail', () => {
    const fates = (seed: string, fence: number) =>
      Array.from({ length: 200 }, (_, i) => fateOf(behaviour({ seed, failureRate: 0.5 }), `n-${i}`, 'c', fence).fails);
    expect(fates('b', 1)).not.toEqual(fates('a', 1));
    expect(fates('a', 2)).not.toEqual(fates('a', 1));
  });
});
