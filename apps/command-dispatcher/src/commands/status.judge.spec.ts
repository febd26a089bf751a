import { COMMAND_STATES, type StatusMessage } from '@muster/contracts';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Standing } from './command.store.js';
import { judgeStatuses, plainEnds } from './status.judge.js';

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

const standing: fc.Arbitrary<ReadonlyMap<string, Standing>> = fc
  .array(
    fc.record({
      id: fc.constantFrom('1', '2', '3', '4'),
      device_id: fc.constantFrom('a', 'b', 'c'),
      fence: fc.integer({ min: 1, max: 3 }),
      state: fc.constantFrom(...COMMAND_STATES),
      cancel_requested: fc.boolean(),
    }),
  )
  .map((commands) => new Map(commands.map((command) => [command.id, command])));

describe('late answers among any statuses', () => {
  it('given an answered cancel that comes again, then it is no late answer; given another end of a cancelled command, then it is one', () => {
    const cancelled: Standing = { id: '1', device_id: 'a', fence: 1, state: 'CANCELLED', cancel_requested: true };
    const lateOf = (end: Pick<StatusMessage, 'status' | 'code'>) => {
      const payload = { command_id: '1', fence: 1, ...end };
      return judgeStatuses([{ device_id: 'a', payload }], new Map([['1', cancelled]])).late;
    };
    expect(lateOf({ status: 'failure', code: 'cancelled' })).toEqual([]);
    expect(lateOf({ status: 'failure', code: 'exit_1' })).toHaveLength(1);
    expect(lateOf({ status: 'success' })).toHaveLength(1);
  });

  it('given any of them, then one is late only of a command that ended without its device, from that device, with its fence, and is dropped as well', () => {
    fc.assert(
      fc.property(batch, standing, (statuses, commands) => {
        const { late, dropped, ended } = judgeStatuses(statuses, commands);
        for (const status of late) {
          const command = commands.get(status.command_id)!;
          expect(['TIMEOUT', 'CANCELLED']).toContain(command.state);
          expect(['success', 'failure']).toContain(status.status);
          expect(status.fence).toBe(command.fence);
          const drop = dropped.find((one) => one.status.payload === status)!;
          expect(drop).toMatchObject({ reason: 'already_ended', status: { device_id: command.device_id } });
          expect(ended).not.toContain(status);
        }
        expect(new Set(late.map((status) => status.command_id)).size).toBe(late.length);
      }),
    );
  });
});
