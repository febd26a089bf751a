import { parse } from '@muster/contracts';
import { headers, type Msg, type MsgHdrs } from 'nats';

type Schema = Parameters<typeof parse>[0];

const TRACEPARENT = 'traceparent';

/**
 * The payload of a message as its channel's type.
 * @throws SyntaxError when it is not JSON, DomainError `invalid` naming the first field that does not fit.
 */
export function readPayload<S extends Schema>(schema: S, message: Msg): ReturnType<typeof parse<S>> {
  return parse(schema, message.json());
}

/** The W3C trace context that a message carries, if any. */
export const traceOf = (message: Msg): string | undefined => message.headers?.get(TRACEPARENT) || undefined;

/** Headers that carry on the trace of the command which a message answers; none without a trace. */
export function traceHeaders(traceparent: string | undefined): MsgHdrs | undefined {
  if (!traceparent) return undefined;
  const carried = headers();
  carried.set(TRACEPARENT, traceparent);
  return carried;
}
