import { describe, expect, it } from 'vitest';
import { budgetOf, budgetTable } from './budget.ts';
import { isMet, type Figure } from './figure.ts';
import { number, resultTable } from './table.ts';

const figure = (change: Partial<Figure> = {}): Figure => ({ value: 1, unit: 's', ...change });

describe('a target', () => {
  it.each([
    [{ ratio: 0.4, target: { atLeast: 0.4, later: 1 } }, true],
    [{ ratio: 0.399, target: { atLeast: 0.4, later: 1 } }, false],
    [{ ratio: 5.5, target: { atMost: 5.5 } }, true],
    [{ ratio: 5.51, target: { atMost: 5.5 } }, false],
    [{ ratio: 1 }, undefined],
    [{}, undefined],
  ])('given %j, then it is met: %s', (change, met) => {
    expect(isMet(figure(change))).toBe(met);
  });
});

describe('the table of results', () => {
  it('given rows with and without figures, then each has its lines below the head, and reasons and notes stand under it', () => {
    const reference = { what: 'pg-boss', value: 12_900, unit: 'jobs/s' };
    const text = resultTable([
      {
        row: 'job.e2e',
        figures: [{ value: 5_160.4, unit: 'devices/s', reference, ratio: 0.4, target: { atLeast: 0.4, later: 1 } }],
        notes: ['events complete: 3 = 3'],
        details: {},
      },
      { row: 'job.memory', unmeasured: 'no such thing' },
      {
        row: 'command.latency',
        figures: [figure({ part: 'p50', value: 0.01234, unit: 'ms', ratio: 12, target: { atMost: 3 } })],
        notes: [],
        details: {},
      },
      { row: 'idle', failed: 'the fleet stopped' },
    ]);
    expect(text.split('\n')).toEqual([
      'row                  value              reference                ratio  target         met',
      'job.e2e              5,160 devices/s    12,900 jobs/s (pg-boss)  0.40   ≥ 0.4, then 1  yes',
      'job.memory           not measured here',
      'command.latency p50  0.01234 ms                                  12.00  ≤ 3            no',
      'idle                 failed',
      '',
      'job.e2e: events complete: 3 = 3',
      'job.memory: not measured here: no such thing',
      'idle failed: the fleet stopped',
    ]);
  });

  it('given numbers of any size, then they have the digits that mean something', () => {
    expect([123_456.7, 999.96, 12.345, 0.001234].map(number)).toEqual(['123,457', '1,000', '12.35', '0.001234']);
  });
});

describe('the budget of a device', () => {
  const run = {
    job_id: '',
    created: 0,
    ended: 0,
    published: 0,
    seconds: 0,
    peak_bytes: {},
    stored_messages: { MUSTER_WORK: 10 },
  };

  it('given two jobs, then what they took is divided by their devices and stands side by side', () => {
    const budgets = [
      budgetOf({ ...run, devices: 1_000, cpu_seconds: { gateway: 0.1 }, commits: 500 }),
      budgetOf({ ...run, devices: 5_000, cpu_seconds: { gateway: 0.1, 'fleet m': 2 }, commits: 500 }),
    ];
    expect(budgetTable(budgets).split('\n')).toEqual([
      'per device             of 1000  of 5000',
      'gateway, µs CPU        100      20',
      'fleet m, µs CPU                 400',
      'all, µs CPU            100      420',
      'Postgres commits       0.5      0.1',
      'MUSTER_WORK, messages  0.01     0.002',
    ]);
  });
});
