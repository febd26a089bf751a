import { setTimeout as delay } from 'node:timers/promises';
import { doorOptions, stayConnected, type BusDoor } from '@muster/bus-auth/connect';
import { Events, type NatsConnection } from 'nats';
import { UsageError } from '../process/usage.js';
import { untilSuccess, type RetryOptions } from './retry.js';

const LEAVE_GRACE_MS = 2_000;

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
  // A stack trace per publish costs more than the publish.
  return untilSuccess(() => stayConnected({ ...options, name, noAsyncTraces: true }), retry);
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
