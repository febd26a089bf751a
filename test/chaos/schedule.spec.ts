import fc from 'fast-check';
import { describe as given, expect, it } from 'vitest';
import { Random } from './random.ts';
import { describe, isStorm, schedule } from './schedule.ts';

const seeds = fc.integer({ min: 0, max: 2 ** 31 - 1 });

given('the schedule of faults', () => {
  it('when the seed is the same, then so are the faults, and a longer run begins with those of a shorter one', () => {
    fc.assert(
      fc.property(seeds, (seed) => {
        const long = schedule(seed, 120_000);
        expect(schedule(seed, 120_000)).toEqual(long);
        expect(schedule(seed, 60_000)).toEqual(long.filter((fault) => fault.at < 60_000));
      }),
    );
  });

  it('when the seed is another, then so are the faults', () => {
    expect(schedule(1, 60_000)).not.toEqual(schedule(2, 60_000));
  });

  it('when it is drawn, then faults come in order, within the run, and never in a calm', () => {
    fc.assert(
      fc.property(seeds, (seed) => {
        const times = schedule(seed, 200_000).map((fault) => fault.at);
        expect(times).toEqual([...times].sort((a, b) => a - b));
        expect(times.every((at) => at < 200_000 && isStorm(at))).toBe(true);
      }),
    );
  });

  it('when the run lasts 45 s, then every kind of fault has come', () => {
    fc.assert(
      fc.property(seeds, (seed) => {
        const words = schedule(seed, 45_000).map(describe).join('\n');
        for (const kind of [
          /SIGKILL (?!nats)/,
          /SIGTERM (?!nats)/,
          /SIGKILL nats-server/,
          /SIGTERM nats-server/,
          /restart Postgres/,
          /sessions/,
          /ms$/m,
          /relay/,
        ])
          expect(words).toMatch(kind);
      }),
    );
  });
});

given('numbers from a seed', () => {
  it('when they are drawn, then they are within their bounds, and the same again', () => {
    fc.assert(
      fc.property(seeds, fc.integer({ min: -5, max: 5 }), fc.nat(20), (seed, from, more) => {
        const [one, same] = [new Random(seed, 'x'), new Random(seed, 'x')];
        const drawn = Array.from({ length: 20 }, () => one.between(from, from + more));
        expect(drawn.every((value) => value >= from && value <= from + more)).toBe(true);
        expect(Array.from({ length: 20 }, () => same.between(from, from + more))).toEqual(drawn);
        expect(one.shuffle(drawn).sort()).toEqual([...drawn].sort());
      }),
    );
  });

  it('when there are many, then they are spread evenly, and each purpose has its own', () => {
    const [one, other] = [new Random(1, 'a'), new Random(1, 'b')];
    const draws = Array.from({ length: 10_000 }, () => [one.next(), other.next()] as const);
    expect(draws.reduce((sum, [a]) => sum + a, 0) / 10_000).toBeCloseTo(0.5, 1);
    expect(draws.filter(([a, b]) => a < 0.5 === b < 0.5).length / 10_000).toBeCloseTo(0.5, 1);
  });
});
