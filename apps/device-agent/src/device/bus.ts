import { setTimeout as delay } from 'node:timers/promises';
import { doorOptions, type BusDoor } from '@muster/bus-auth/connect';
import { connect, ErrorCode, Events, type NatsConnection } from 'nats';
import { UsageError } from '../process/usage.js';
import { untilSuccess, type RetryOptions } from './retry.js';

const LEAVE_GRACE_MS = 2_000;
const RECONNECT_MS = 250;
const LONGEST_RECONNECT_MS = 30_000;
/** A bus that is coming up may refuse good credentials for a while. */
const REFUSED_AT_FIRST = 8;
const REFUSALS: readonly unknown[] = [ErrorCode.AuthorizationViolation, ErrorCode.AuthenticationExpired];

export interface BusOptions extends BusDoor {
  /** How the server's monitoring names this connection. */
  name: string;
}

/**
 * Connects as soon as a server is there, and from then on reconnects forever.
 * @throws UsageError when a file cannot be read.
 */
export async function connectForever({ name, ...door }: BusOptions, retry: RetryOptions): Promise<NatsConnection> {
  const options = optionsOf(door);
  let refused = 0;
  const nc = await untilSuccess(
    () =>
      connect({
        ...options,
        name,
        maxReconnectAttempts: -1,
        reconnectDelayHandler: () => reconnectDelay(refused),
        // A stack trace per publish costs more than the publish.
        noAsyncTraces: true,
      }),
    retry,
  );
  void countRefusals(nc, (count) => (refused = count));
  return nc;
}

/**
 * Milliseconds to the next attempt after so many that the bus has refused: credentials that were revoked stay refused until somebody replaces them.
 */
export function reconnectDelay(refused: number): number {
  const longest = Math.min(
    LONGEST_RECONNECT_MS,
    RECONNECT_MS * 2 ** Math.max(0, Math.min(refused - REFUSED_AT_FIRST, 10)),
  );
  return longest * (1 + 0.4 * Math.random());
}

/** Tells how many attempts in a row the bus has refused; ends with the connection. */
export async function countRefusals(
  nc: Pick<NatsConnection, 'status'>,
  tell: (refused: number) => void,
): Promise<void> {
  let refused = 0;
  for await (const { type, data } of nc.status()) {
    if (type === Events.Error && REFUSALS.includes(data)) tell(++refused);
    if (type === Events.Reconnect) tell((refused = 0));
  }
}

/** Sends what is buffered and closes the connection; bounded in time, as the server may be away. */
export async function leave(nc: NatsConnection): Promise<void> {
  const patience = new AbortController();
  const enough = delay(LEAVE_GRACE_MS, undefined, { signal: patience.signal });
  await Promise.race([nc.drain(), enough]).catch(() => undefined);
  patience.abort();
  enough.catch(() => undefined);
  await nc.close();
}

/**
 * Tells when the connection is lost and when it is there again, once each; ends with the connection. The client says both once for each attempt that
 * the bus has refused in between, which for a device whose credentials were revoked are many.
 */
export async function watchConnection(
  nc: Pick<NatsConnection, 'status'>,
  { lost, back }: { lost?: () => void; back: () => void },
): Promise<void> {
  let away = false;
  for await (const { type } of nc.status()) {
    if (type === Events.Disconnect && !away) lost?.();
    if (type === Events.Reconnect && away) back();
    if (type === Events.Disconnect || type === Events.Reconnect) away = type === Events.Disconnect;
  }
}

function optionsOf(door: BusDoor) {
  try {
    return doorOptions(door);
  } catch (error) {
    throw new UsageError(`--creds, --ca: ${error instanceof Error ? error.message : String(error)}`);
  }
}
