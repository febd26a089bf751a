import { context, propagation, ROOT_CONTEXT, SpanKind, trace, type Context } from '@opentelemetry/api';
import { headers, type MsgHdrs } from 'nats';

const tracer = trace.getTracer('muster.messaging');

/** Headers that carry the running trace, and whatever else is given. */
export function outgoingHeaders(extra: Record<string, string> = {}): MsgHdrs {
  const meta = headers();
  const carrier: Record<string, string> = { ...extra };
  propagation.inject(context.active(), carrier);
  for (const [name, value] of Object.entries(carrier)) meta.set(name, value);
  return meta;
}

/** The trace that a message belongs to. */
export function incomingContext(meta: MsgHdrs | undefined): Context {
  const traceparent = meta?.get('traceparent');
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
