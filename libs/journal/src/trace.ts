import { context, isSpanContextValid, trace } from '@opentelemetry/api';

/** The W3C `traceparent` of the running span, if any. */
export function currentTraceparent(): string | undefined {
  const span = trace.getSpanContext(context.active());
  if (!span || !isSpanContextValid(span)) return undefined;
  return `00-${span.traceId}-${span.spanId}-0${(span.traceFlags & 1).toString()}`;
}
