import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { oneWordEach, wordOf, type Word } from './advisory.js';

const DEVICE = '3f1c2a52-6b3f-4a53-9d2a-0a1d9be0a001';
const advisory = (name_tag: unknown, client: object = {}) =>
  JSON.stringify({
    type: 'io.nats.server.advisory.v1.client_connect',
    timestamp: '2025-01-01T00:00:00.123456789Z',
    server: { name: 'one', id: 'NABC', ver: '2.9.10', jetstream: true },
    client: { id: 7, start: '2025-01-01T00:00:00Z', name_tag, client_type: 'mqtt', ...client },
    reason: 'Client Closed',
  });

describe('an advisory of the bus', () => {
  it('given a device, then it is a word of its connection, at the time of the server', () => {
    const at = Date.parse('2025-01-01T00:00:00.123Z');
    const server = { server_id: 'NABC', server_name: 'one' };
    const opened_at = Date.parse('2025-01-01T00:00:00Z');
    const word = { project_id: 'acme', device_id: DEVICE, ...server, client_id: 7, opened_at };
    const text = advisory(`device.acme.${DEVICE}`);
    expect(wordOf('CONNECT', text)).toEqual({ ...word, began_at: at, ended_at: null });
    expect(wordOf('DISCONNECT', text)).toEqual({ ...word, began_at: null, ended_at: at });
  });

  it.each([
    ['a service', advisory('service.device-state')],
    ['a simulated fleet', advisory('fleet.acme')],
    ['nobody', advisory(undefined)],
    ['another spelling of an id', advisory(`device.acme.${DEVICE.toUpperCase()}`)],
    ['no number of the connection', advisory(`device.acme.${DEVICE}`, { id: 'x' })],
    ['no JSON', 'garbage'],
    ['nothing', ''],
  ])('given %s, then it is no word', (_what, text) => {
    expect(wordOf('CONNECT', text)).toBeUndefined();
  });
});

describe('words of connections taken together', () => {
  const word = fc.record({
    project_id: fc.constant('acme'),
    device_id: fc.constantFrom('a', 'b'),
    server_id: fc.constantFrom('s', 't'),
    server_name: fc.constant('one'),
    client_id: fc.integer({ min: 1, max: 2 }),
    opened_at: fc.constant(0),
    began_at: fc.option(fc.constant(1)),
    ended_at: fc.option(fc.constant(2)),
  });
  const asSet = (words: readonly Word[]) => words.map((one) => JSON.stringify(one)).toSorted();

  it('given any words, then each connection has one, in whatever order they come, and none is forgotten', () => {
    fc.assert(
      fc.property(fc.array(word), (words) => {
        const taken = oneWordEach(words);
        expect(asSet(oneWordEach(words.toReversed()))).toEqual(asSet(taken));
        expect(asSet(oneWordEach([...words, ...words]))).toEqual(asSet(taken));
        for (const one of words) {
          const found = taken.filter(
            (each) =>
              each.device_id === one.device_id && each.server_id === one.server_id && each.client_id === one.client_id,
          );
          expect(found).toHaveLength(1);
          if (one.began_at !== null) expect(found[0]!.began_at).toBe(one.began_at);
          if (one.ended_at !== null) expect(found[0]!.ended_at).toBe(one.ended_at);
        }
      }),
    );
  });
});
