import { createRequire } from 'node:module';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Logger } from './logger.js';
import { logLines } from './testing/log-lines.js';
import { RunningService } from './testing/running-service.js';
import { tinyService, welcomed, type Passed } from './testing/tiny-service.js';
import { LOGGER } from './tokens.js';

let service: RunningService;
let lines: Record<string, unknown>[];

beforeAll(async () => {
  service = await RunningService.start(tinyService, { MUSTER_LOG_LEVEL: 'info' }, { users: false });
});
beforeEach(() => {
  lines = logLines(service.get<Logger>(LOGGER as never));
});
afterAll(() => service.stop());

const TRACE = '0af7651916cd43dd8448eb211c80319c';
const traceOf = (traceparent: string | undefined) =>
  /^00-([0-9a-f]{32})-[0-9a-f]{16}-0[01]$/.exec(traceparent ?? '')?.[1];

const walkThrough = async (headers: Record<string, string>) => {
  const response = await fetch(`${service.url}/visit`, { headers });
  expect(response.status).toBe(200);
  const passed = (await response.json()) as Passed;
  await vi.waitUntil(() => welcomed.has(passed.id) && service.eventsOf(passed.id).length > 0, { timeout: 10_000 });
  const event = service.events.find(({ data }) => data.id === passed.id);
  return [passed.rpc, event?.traceparent, welcomed.get(passed.id)].map(traceOf);
};

const told = () => lines.filter(({ msg }) => /^(at|in) the/.test(String(msg)));

describe('a trace, with no place to send spans to', () => {
  it('given a request with a traceparent, then rpc, journal, event and work carry its trace, and so do the logs', async () => {
    expect(await walkThrough({ traceparent: `00-${TRACE}-b7ad6b7169203331-01` })).toEqual([TRACE, TRACE, TRACE]);
    expect(told()).toMatchObject(
      ['at the gate', 'at the door', 'in the hall'].map((msg) => ({ msg, trace_id: TRACE })),
    );
  });

  it.each([
    ['none', {}],
    ['one that is malformed', { traceparent: 'garbage' }],
    ['one that is all zeroes', { traceparent: `00-${'0'.repeat(32)}-${'0'.repeat(16)}-01` }],
  ])('given a request with %s, then it gets a trace of its own', async (_what, headers) => {
    const traces = await walkThrough(headers);
    expect(traces[0]).toMatch(/^(?!0{32})[0-9a-f]{32}$/);
    expect(new Set(traces).size).toBe(1);
    expect(new Set(told().map((line) => line['trace_id']))).toEqual(new Set([traces[0]]));
  });

  it('given that, then the SDK that makes spans is not even loaded', () => {
    const loaded = Object.keys(createRequire(import.meta.url).cache);
    expect(loaded.some((path) => path.includes('/@opentelemetry/api/'))).toBe(true);
    const heavy = /\/@opentelemetry\/(sdk-trace|exporter|instrumentation|otlp)/;
    expect(loaded.filter((path) => heavy.test(path))).toEqual([]);
  });
});
