import { inSpan, recordMessageSpans } from '@muster/messaging';
import { context, propagation, ROOT_CONTEXT, SpanKind, trace, TraceFlags, type Context } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import { W3CTraceContextPropagator } from '@opentelemetry/core';
import { randomBytes } from 'node:crypto';

/**
 * Trace ids always travel, so that logs and events of one request can be put together; spans are made and exported only when an
 * OTLP endpoint is configured (the SDK is not even loaded otherwise).
 * @returns what flushes the last spans.
 */
export async function startTelemetry(service: string, otlpEndpoint: string | undefined): Promise<() => Promise<void>> {
  if (!otlpEndpoint) {
    context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
    propagation.setGlobalPropagator(new W3CTraceContextPropagator());
    return async () => undefined;
  }
  const [
    { BatchSpanProcessor, NodeTracerProvider },
    { OTLPTraceExporter },
    { resourceFromAttributes },
    { registerInstrumentations },
    { PgInstrumentation },
  ] = await Promise.all([
    import('@opentelemetry/sdk-trace-node'),
    import('@opentelemetry/exporter-trace-otlp-http'),
    import('@opentelemetry/resources'),
    import('@opentelemetry/instrumentation'),
    import('@opentelemetry/instrumentation-pg'),
  ]);
  const provider = new NodeTracerProvider({
    resource: resourceFromAttributes({ 'service.name': `muster-${service}`, 'service.namespace': 'muster' }),
    spanProcessors: [new BatchSpanProcessor(new OTLPTraceExporter())],
  });
  provider.register({
    contextManager: new AsyncLocalStorageContextManager().enable(),
    propagator: new W3CTraceContextPropagator(),
  });
  recordMessageSpans();
  registerInstrumentations({
    tracerProvider: provider,
    instrumentations: [new PgInstrumentation({ requireParentSpan: true })],
  });
  return () => provider.shutdown();
}

/** The trace of an incoming request: the caller's `traceparent`, or a new one. */
function requestContext(traceparent: string | undefined): Context {
  const incoming = traceparent ? propagation.extract(ROOT_CONTEXT, { traceparent }) : ROOT_CONTEXT;
  if (trace.getSpanContext(incoming)) return incoming;
  return trace.setSpanContext(ROOT_CONTEXT, {
    traceId: randomBytes(16).toString('hex'),
    spanId: randomBytes(8).toString('hex'),
    traceFlags: TraceFlags.SAMPLED,
    isRemote: true,
  });
}

/** Runs `handle` in the server span of an HTTP request, below its `traceparent` or in a trace of its own. */
export const inRequestSpan = <T>(name: string, traceparent: string | undefined, handle: () => Promise<T>): Promise<T> =>
  inSpan(name, SpanKind.SERVER, requestContext(traceparent), handle);
