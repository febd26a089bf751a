import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { plainEnds } from './status.judge.js';

const words = ['acknowledged', 'inprogress', 'success', 'failure'] as const;
const status = fc.record({
  device_id: fc.constantFrom('a', 'b', 'c'),
  payload: fc.record({
    command_id: fc.constantFrom('1', '2', '3', '4', '5'),
    fence: fc.integer({ min: 1, max: 3 }),
    status: fc.constantFrom(...words),
    code: fc.constantFrom(undefined, 'cancelled', 'disk_full'),
  }),
});
const batch = fc.array(
  status.map(({ payload: { code, ...payload }, ...rest }) => ({
    ...rest,
    payload: { ...payload, ...(code && { code }) },
  })),
  { maxLength: 12 },
);

describe('the ends in a batch of statuses that need no judging', () => {
  it('given any batch, then they are ends of commands that it says nothing else of, at most one a device, and no answered cancel', () => {
    fc.assert(
      fc.property(batch, (statuses) => {
        for (const [device, { device_id, payload }] of plainEnds(statuses)) {
          expect(device_id).toBe(device);
          expect(['success', 'failure']).toContain(payload.status);
          expect(payload.status === 'failure' && payload.code === 'cancelled').toBe(false);
          expect(statuses.filter((other) => other.payload.command_id === payload.command_id)).toHaveLength(1);
        }
      }),
    );
  });

  it('given one success of each device, then all of them', () => {
    const statuses = ['a', 'b', 'c'].map((device_id) => ({
      device_id,
      payload: { command_id: `of ${device_id}`, fence: 1, status: 'success' as const },
    }));
    expect([...plainEnds(statuses).values()]).toEqual(statuses);
  });
});
