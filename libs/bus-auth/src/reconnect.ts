import { connect, ErrorCode, Events, type ConnectionOptions, type NatsConnection } from 'nats';

const RECONNECT_MS = 250;
const LONGEST_RECONNECT_MS = 30_000;
/** A bus that is coming up may refuse good credentials for a while. */
const REFUSED_AT_FIRST = 8;
const REFUSALS: readonly unknown[] = [ErrorCode.AuthorizationViolation, ErrorCode.AuthenticationExpired];

/**
 * Connects, and from then on comes back for ever: at once where the connection was lost, ever less often where the bus refuses, for the client
 * keeps something of each refused attempt until it is let in.
 * @throws what the first attempt throws.
 */
export async function stayConnected(options: ConnectionOptions): Promise<NatsConnection> {
  let refused = 0;
  const connection = await connect({
    ...options,
    maxReconnectAttempts: -1,
    reconnectDelayHandler: () => reconnectDelay(refused),
  });
  void countRefusals(connection, (count) => (refused = count));
  return connection;
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
