import { describe, expect, it } from 'vitest';
import { rolloutFaults, type RolloutTerms } from './rollout.faults.js';
import { Rollout } from './rollout.js';
import { validate } from './schema.js';

const NOW = Date.parse('2026-11-22T12:00:00Z');

const faults = (rollout: Rollout, terms: Partial<RolloutTerms> = {}) => {
  expect(validate(Rollout, rollout)).toEqual([]);
  return rolloutFaults(rollout, NOW, { at: 'rollout.', ...terms }).map(({ field, message }) => `${field}: ${message}`);
};

describe('a rollout that can be carried out', () => {
  it.each<[Rollout]>([
    [{}],
    [{ waves: [{}] }],
    [{ waves: [{ percent: 100 }] }],
    [{ waves: [{ percent: 1 }, { percent: 10 }, {}] }],
    [{ waves: [{ percent: 33.3 }, { percent: 33.3 }, { percent: 33.4 }] }],
    [
      {
        waves: [
          { count: 5, approval: true },
          { query: { tags: 'canary' }, soak_seconds: 60 },
          { success_threshold: 90 },
        ],
      },
    ],
    [
      {
        abort: [
          { percent: 5, min_finished: 10, action: 'rollback' },
          { count: 3, base: 'contacted', action: 'pause' },
        ],
      },
    ],
    [{ window: { start: '22:00', end: '04:00' }, start_at: '2020-01-01T00:00:00Z' }],
    [{ window: { days: [6], start: '00:00', end: '23:59', timezone: 'Europe/Paris' } }],
    [{ membership: 'continuous', end_at: '2026-12-01T00:00:00Z' }],
    [{ evidence: { path: 'os.version', equals: null } }],
  ])('given %j, then nothing is wrong', (rollout) => {
    expect(faults(rollout)).toEqual([]);
  });
});

describe('a rollout that cannot', () => {
  it.each<[Rollout, string]>([
    [{ waves: [{ percent: 10 }] }, 'rollout.waves.0.percent: '],
    [{ waves: [{ count: 10 }] }, 'rollout.waves.0: is the last wave'],
    [{ waves: [{}, {}] }, 'rollout.waves.0: give one of'],
    [{ waves: [{ percent: 1, count: 1 }, {}] }, 'rollout.waves.0: give one of'],
    [{ waves: [{ percent: 60 }, { percent: 40 }, {}] }, 'rollout.waves: the percents leave nothing'],
    [{ waves: [{ percent: 60 }, { percent: 30 }] }, 'rollout.waves.1.percent: '],
    [{ abort: [{ action: 'pause' }] }, 'rollout.abort.0.percent: '],
    [{ abort: [{ percent: 1, count: 1, action: 'pause' }] }, 'rollout.abort.0.percent: '],
    [{ window: { start: '08:00', end: '08:00' } }, 'rollout.window.end: '],
    [{ window: { start: '08:00', end: '09:00', timezone: 'Mars/Base' } }, 'rollout.window.timezone: '],
    [{ end_at: '2026-11-22T12:00:00Z' }, 'rollout.end_at: is in the past'],
    [{ start_at: '2026-12-01T00:00:00Z', end_at: '2026-12-01T00:00:00Z' }, 'rollout.end_at: must be after'],
    [{ membership: 'continuous' }, 'rollout.end_at: is required'],
    [{ evidence: { path: 'a..b', equals: 1 } }, 'rollout.evidence.path: '],
  ])('given %j, then its field is named', (rollout, named) => {
    expect(faults(rollout)).toEqual([expect.stringContaining(named)]);
  });

  it('given what cannot be brought back, or joined, then rules and memberships that need it are refused', () => {
    const rollout: Rollout = { abort: [{ count: 1, action: 'rollback' }], membership: 'continuous' };
    expect(faults(rollout, { noWayBack: 'has no way back', noMembership: 'has its devices listed' })).toEqual([
      'rollout.abort.0.action: has no way back',
      'rollout.membership: has its devices listed',
    ]);
  });
});
