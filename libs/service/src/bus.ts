import { connect, Events, type NatsConnection } from 'nats';
import type { ServiceConfig } from './config.js';
import type { Logger } from './logger.js';

/** What the bus must carry in one message: a batch of work with its head (contracts: `MAX_WORK_BYTES`) and an answer over rpc. */
const LEAST_PAYLOAD = 1024 * 1024;

/**
 * Connects to the bus; waits for one that is not there yet, and comes back to one that went.
 * @throws Error when the bus carries too little in one message.
 */
export async function connectBus(
  config: Pick<ServiceConfig, 'service' | 'natsUrl'>,
  logger: Logger,
): Promise<NatsConnection> {
  const connection = await connect({
    servers: config.natsUrl,
    name: config.service,
    maxReconnectAttempts: -1,
    reconnectTimeWait: 250,
    waitOnFirstConnect: true,
    pingInterval: 10_000,
  });
  const payload = connection.info?.max_payload ?? 0;
  if (payload < LEAST_PAYLOAD) {
    await connection.close();
    throw new Error(`max_payload of the bus is ${payload} bytes, it must be at least ${LEAST_PAYLOAD}`);
  }
  void (async () => {
    for await (const status of connection.status()) {
      if (status.type === Events.Disconnect || status.type === Events.Reconnect)
        logger.warn({ nats: status.type }, 'bus connection');
    }
  })();
  return connection;
}
