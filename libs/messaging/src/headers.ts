import { context, propagation, ROOT_CONTEXT, SpanKind, trace, type Context } from '@opentelemetry/api';
import { headers, type MsgHdrs } from 'nats';

const tracer = trace.getTracer('muster.messaging');
let recording = false;

/** From now on the messages of a batch get spans of their own; until then their traces only travel, which costs far less. */
export function recordMessageSpans(): void {
  recording = true;
}

/** Headers that carry the running trace, and whatever else is given. */
export function outgoingHeaders(extra: Record<string, string> = {}): MsgHdrs {
  const meta = headers();
  const carrier: Record<string, string> = { ...extra };
  propagation.inject(context.active(), carrier);
  for (const [name, value] of Object.entries(carrier)) meta.set(name, value);
  return meta;
}

/** The trace that a message belongs to. */
export const incomingContext = (meta: MsgHdrs | undefined): Context => traceContext(meta?.get('traceparent'));

/** The context of a W3C `traceparent`; an empty one without it. */
export function traceContext(traceparent: string | null | undefined): Context {
  return traceparent ? propagation.extract(ROOT_CONTEXT, { traceparent }) : ROOT_CONTEXT;
}

/** Runs `handle` in a span of its own below `parent`; a failure is recorded on the span and thrown on. */
export function inSpan<T>(name: string, kind: SpanKind, parent: Context, handle: () => Promise<T>): Promise<T> {
  return tracer.startActiveSpan(name, { kind }, parent, async (span) => {
    try {
      return await handle();
    } catch (error) {
      span.recordException(error as Error);
      throw error;
    } finally {
      span.end();
    }
  });
}

/** Marks the sending of one message in the trace it belongs to, and gives the headers that carry it on, if it belongs to one. */
export function producerHeaders(name: string, traceparent: string | null | undefined): MsgHdrs | undefined {
  if (!traceparent) return undefined;
  if (!recording) {
    const meta = headers();
    meta.set('traceparent', traceparent);
    return meta;
  }
  const parent = traceContext(traceparent);
  const span = tracer.startSpan(name, { kind: SpanKind.PRODUCER }, parent);
  const meta = context.with(trace.setSpan(parent, span), () => outgoingHeaders());
  span.end();
  return meta;
}

/** Marks the arrival of one message of a batch in the trace that its headers name. */
export function markArrival(name: string, meta: MsgHdrs | undefined): void {
  if (!recording) return;
  const traceparent = meta?.get('traceparent');
  if (traceparent) tracer.startSpan(name, { kind: SpanKind.CONSUMER }, traceContext(traceparent)).end();
}
