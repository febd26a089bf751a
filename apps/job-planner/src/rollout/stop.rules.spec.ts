import type { StopRule } from '@muster/contracts';
import { describe, expect, it } from 'vitest';
import { firedRule, ruleInWords } from './stop.rules.js';
import { EMPTY_TALLY, targeted, type Tally } from './tally.js';

const tallyOf = (some: Partial<Tally>): Tally => ({ ...EMPTY_TALLY, ...some });

const stops = (rule: Partial<StopRule>, tally: Tally, baseline: Tally | null = null): boolean =>
  firedRule([{ action: 'pause', ...rule }], tally, baseline) === 0;

describe('what a percent is of', () => {
  // 200 planned; of 80 that were contacted 50 have ended by themselves, and ten beside them without ever having been contacted.
  const after = (failed: number) => {
    const tally = tallyOf({
      ...{ pending: 90, offline: 15, in_flight: 30, cancelled: 5 },
      ...{ succeeded: 50 - failed, failed, timed_out: 10, never_contacted: 10 },
    });
    expect(targeted(tally)).toBe(200);
    return tally;
  };

  it.each([
    ['finished', 'the 50 that ended by themselves', 3],
    ['contacted', 'these and the 30 in flight', 4],
    ['targeted', 'all 200 that are planned', 10],
  ] as const)('given 5 %% of the %s, which are %s, then it takes %i failures', (base, _, failures) => {
    expect(stops({ base, percent: 5 }, after(failures - 1))).toBe(false);
    expect(stops({ base, percent: 5 }, after(failures))).toBe(true);
  });

  it('given no base, then it is of those that ended by themselves', () => {
    expect([2, 3].map((failures) => stops({ percent: 5 }, after(failures)))).toEqual([false, true]);
  });

  it('given a percent of less than a device, then it takes one all the same', () => {
    for (const base of ['finished', 'contacted', 'targeted'] as const) {
      expect(stops({ base, percent: 0.1 }, after(0))).toBe(false);
      expect(stops({ base, percent: 0.1 }, after(1))).toBe(true);
    }
  });

  it('given min_finished, then a percent does not count before so many have ended by themselves, and a count does', () => {
    const tally = tallyOf({ pending: 80, in_flight: 11, failed: 9, timed_out: 5, never_contacted: 5 });
    expect(stops({ percent: 5, min_finished: 10 }, tally)).toBe(false);
    expect(stops({ percent: 5, min_finished: 9 }, tally)).toBe(true);
    expect(stops({ count: 9, min_finished: 10 }, tally)).toBe(true);
  });

  it('given a canary wave that somebody overruled, then the rule waits for ten more devices of which too many failed', () => {
    const rule: Partial<StopRule> = { outcome: 'failed', percent: 5, min_finished: 10 };
    const canaries = tallyOf({ pending: 195, failed: 5 });
    const after = (failed: number) => tallyOf({ pending: 195 - 20 - failed, in_flight: 20, failed: 5 + failed });
    expect([9, 10].map((failed) => stops(rule, after(failed), canaries))).toEqual([false, true]);
    expect(ruleInWords({ ...rule, action: 'rollback' })).toBe('5 % of the finished devices failed');
  });

  it('given that somebody let the rollout go on, then what had ended by then counts for neither part, but all that are planned do', () => {
    const baseline = tallyOf({ pending: 100, succeeded: 60, failed: 40 });
    const since = (failed: number) =>
      tallyOf({ pending: 60, in_flight: 20, succeeded: 80 - failed, failed: 40 + failed });
    // Since then 20 have ended, 40 were contacted, and 200 are planned.
    for (const [base, failures] of [
      ['finished', 2],
      ['contacted', 4],
      ['targeted', 16],
    ] as const) {
      const percent = base === 'targeted' ? 8 : 10;
      expect(stops({ base, percent }, since(failures - 1), baseline)).toBe(false);
      expect(stops({ base, percent }, since(failures), baseline)).toBe(true);
    }
  });
});

describe('which devices have gone wrong', () => {
  const outcomes = ['failed', 'timed_out', 'rejected', 'any'] as const;
  const countedOf = (tally: Partial<Tally>) =>
    outcomes.filter((outcome) => stops({ outcome, count: 1 }, tallyOf(tally)));

  it.each<[string, Partial<Tally>, string[]]>([
    ['failed', { failed: 1 }, ['failed', 'any']],
    ['timed out', { timed_out: 1 }, ['timed_out', 'any']],
    ['refused', { rejected: 1 }, ['rejected', 'any']],
    ['never showed its success', { unknown: 1 }, ['any']],
    ['was never contacted', { timed_out: 1, never_contacted: 1 }, []],
    ['was cancelled', { cancelled: 1 }, []],
    ['succeeded', { succeeded: 1 }, []],
  ])('given a device that %s, then it counts as the outcomes say', (_, tally, counted) => {
    expect(countedOf(tally)).toEqual(counted);
    expect(stops({ count: 1 }, tallyOf(tally))).toBe(counted.includes('any'));
  });

  it('given one of each, then any is all of them together, also in percent', () => {
    const tally = tallyOf({ succeeded: 6, failed: 1, timed_out: 1, rejected: 1, unknown: 1 });
    expect([4, 5].map((count) => stops({ count }, tally))).toEqual([true, false]);
    expect([40, 41].map((percent) => stops({ percent }, tally))).toEqual([true, false]);
  });

  it('given several rules, then the first that applies is the one that stops', () => {
    const rules: StopRule[] = [
      { outcome: 'failed', count: 2, action: 'cancel' },
      { outcome: 'rejected', count: 1, action: 'pause' },
      { count: 1, action: 'cancel' },
    ];
    expect(firedRule(rules, tallyOf({ failed: 1, rejected: 1 }), null)).toBe(1);
    expect(firedRule(rules, tallyOf({ succeeded: 1 }), null)).toBeUndefined();
  });
});
