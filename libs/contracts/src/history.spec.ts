import { describe, expect, it } from 'vitest';
import {
  COMMAND_WAITS,
  entities,
  ExactTime,
  TIMELINE_ENTITIES,
  uses,
  validate,
  WAITING_ENTITIES,
  WAITS,
} from './index.js';
import { timelines } from './timeline.js';
import { waitings } from './waiting.js';

const keeperOf = (name: string) => entities.find((entity) => entity.name === name)?.service;

describe('the timeline and what waits', () => {
  it.each(Object.entries(WAITING_ENTITIES))(
    'given %s, then all that it says to keep waiting is its own',
    (service, names) => {
      expect(names.map(keeperOf)).toEqual(names.map(() => service));
    },
  );

  it('given what happens to devices, then whoever keeps it has a timeline', () => {
    const keepers = new Set(TIMELINE_ENTITIES.map(keeperOf));
    expect([...keepers].sort()).toEqual(Object.keys(timelines).sort());
  });

  it('given each service, then its questions are its own and the gateway may ask them', () => {
    for (const [service, rpc] of [...Object.entries(timelines), ...Object.entries(waitings)]) {
      expect(rpc.service).toBe(service);
      expect(uses.gateway.asks).toContain(rpc);
    }
  });

  it('given the words of rollout.md and those of commands, then something may wait for each, and none is there twice', () => {
    const words = ['window', 'slot', 'approval', 'offline', 'lock', 'retry_at', 'in_flight', ...COMMAND_WAITS];
    expect(WAITS).toEqual(expect.arrayContaining(words));
    expect(new Set(WAITS).size).toBe(WAITS.length);
  });

  it.each(['2025-01-01T00:00:00.000000Z', '2024-02-29T23:59:59.999999Z'])('given %s, then it is exact', (time) => {
    expect(validate(ExactTime, time)).toEqual([]);
  });

  it.each([
    '2025-01-01T00:00:00Z',
    '2025-01-01T00:00:00.000Z',
    '2025-01-01T00:00:00.000000+00:00',
    '2025-02-30T00:00:00.000000Z',
  ])('given %s, then its text could not be compared with others', (time) => {
    expect(validate(ExactTime, time)).not.toEqual([]);
  });
});
