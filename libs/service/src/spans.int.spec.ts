import { createServer, type Server } from 'node:http';
import { createRequire } from 'node:module';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { RunningService } from './testing/running-service.js';
import { tinyService, welcomed, type Passed } from './testing/tiny-service.js';

interface Span {
  traceId: string;
  spanId: string;
  parentSpanId?: string;
  name: string;
  service: string;
}

/** The part of an OTLP/HTTP export that is looked at (opentelemetry-proto, ExportTraceServiceRequest as JSON). */
interface Export {
  resourceSpans: {
    resource: { attributes: { key: string; value: { stringValue?: string } }[] };
    scopeSpans: { spans: Omit<Span, 'service'>[] }[];
  }[];
}

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';
const CALLER = '00f067aa0ba902b7';
const spans: Span[] = [];
let collector: Server;

beforeAll(async () => {
  collector = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const { resourceSpans } = JSON.parse(Buffer.concat(chunks).toString()) as Export;
      for (const { resource, scopeSpans } of resourceSpans) {
        const service = resource.attributes.find(({ key }) => key === 'service.name')?.value.stringValue ?? '';
        spans.push(...scopeSpans.flatMap((scope) => scope.spans.map((span) => ({ ...span, service }))));
      }
      response.setHeader('content-type', 'application/json').end('{}');
    });
  });
  await new Promise<void>((resolve) => collector.listen(0, '127.0.0.1', resolve));
});
afterAll(() => collector.close());

describe('spans, with a collector', () => {
  it('given a request, then all that follows from it arrives there as one tree in its trace', async () => {
    const endpoint = `http://127.0.0.1:${(collector.address() as AddressInfo).port}`;
    vi.stubEnv('OTEL_EXPORTER_OTLP_ENDPOINT', endpoint);
    const service = await RunningService.start(
      tinyService,
      { OTEL_EXPORTER_OTLP_ENDPOINT: endpoint },
      { users: false },
    );
    try {
      const traceparent = `00-${TRACE}-${CALLER}-01`;
      const response = await fetch(`${service.url}/visit`, { headers: { traceparent } });
      const { id } = (await response.json()) as Passed;
      await vi.waitUntil(() => welcomed.has(id), { timeout: 10_000 });
    } finally {
      // What has not been sent yet goes out now.
      await service.stop();
    }

    const ours = spans.filter(({ traceId }) => traceId === TRACE);
    const count = (name: string) => ours.filter((span) => span.name === name).length;
    expect(count('GET /visit')).toBe(1);
    expect(count('rpc device-state.visit')).toBe(2);
    expect(count('work device-state.welcome')).toBe(1);
    expect(ours.filter(({ name }) => name.startsWith('pg.query')).length).toBeGreaterThan(0);
    expect(new Set(ours.map((span) => span.service))).toEqual(new Set(['muster-device-state']));

    const ids = new Set([CALLER, ...ours.map(({ spanId }) => spanId)]);
    expect(ours.filter(({ parentSpanId }) => !ids.has(parentSpanId ?? ''))).toEqual([]);
    expect(ours.filter(({ parentSpanId }) => parentSpanId === CALLER).map(({ name }) => name)).toEqual(['GET /visit']);
    expect(
      Object.keys(createRequire(import.meta.url).cache).some((path) => path.includes('/@opentelemetry/sdk-trace')),
    ).toBe(true);
  });
});
