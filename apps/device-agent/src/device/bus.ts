import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { connect, credsAuthenticator, Events, type NatsConnection } from 'nats';
import { UsageError } from '../process/usage.js';
import { untilSuccess, type RetryOptions } from './retry.js';

const LEAVE_GRACE_MS = 2_000;

export interface BusOptions {
  url: string;
  /** How the server's monitoring names this connection. */
  name: string;
  /** Path of a NATS credentials file. */
  creds?: string | undefined;
}

/** Connects as soon as a server is there, and from then on reconnects forever. */
export async function connectForever({ url, name, creds }: BusOptions, retry: RetryOptions): Promise<NatsConnection> {
  const authenticator = creds === undefined ? undefined : credsAuthenticator(readCreds(creds));
  return untilSuccess(
    () =>
      connect({
        servers: url,
        name,
        ...(authenticator && { authenticator }),
        maxReconnectAttempts: -1,
        // A server that is coming up may refuse good credentials for a while.
        ignoreAuthErrorAbort: true,
        reconnectTimeWait: 250,
        // A stack trace per publish costs more than the publish.
        noAsyncTraces: true,
      }),
    retry,
  );
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

/** Tells when the connection is lost and when it is there again; ends with the connection. */
export async function watchConnection(
  nc: NatsConnection,
  { lost, back }: { lost?: () => void; back: () => void },
): Promise<void> {
  for await (const status of nc.status()) {
    if (status.type === Events.Disconnect) lost?.();
    if (status.type === Events.Reconnect) back();
  }
}

function readCreds(file: string): Uint8Array {
  try {
    return readFileSync(file);
  } catch (error) {
    throw new UsageError(`--creds: ${error instanceof Error ? error.message : String(error)}`);
  }
}
