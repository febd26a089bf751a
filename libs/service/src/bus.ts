import { doorOptions, stayConnected } from '@muster/bus-auth/connect';
import { serviceInbox } from '@muster/contracts';
import { backOff, PASSING_TROUBLE_MS } from '@muster/messaging';
import { Events, type ConnectionOptions, type NatsConnection } from 'nats';
import { setTimeout as delay } from 'node:timers/promises';
import type { ServiceConfig } from './config.js';
import type { Logger } from './logger.js';
import { onceInAWhile } from './once-in-a-while.js';

/** What the bus must carry in one message: a batch of work with its head (contracts: `MAX_WORK_BYTES`) and an answer over rpc. */
const LEAST_PAYLOAD = 1024 * 1024;

/**
 * Connects to the bus; waits for one that is not there yet or lets nobody in yet, and comes back to one that went.
 * @throws Error when the bus carries too little in one message.
 */
export async function connectBus(
  config: Pick<ServiceConfig, 'service' | 'natsUrl' | 'natsCreds' | 'natsCa'>,
  logger: Logger,
): Promise<NatsConnection> {
  const connection = await reach(
    {
      ...doorOptions({
        url: config.natsUrl,
        creds: config.natsCreds,
        ca: config.natsCa,
        inbox: serviceInbox(config.service),
      }),
      name: config.service,
      pingInterval: 10_000,
    },
    logger,
  );
  const payload = connection.info?.max_payload ?? 0;
  if (payload < LEAST_PAYLOAD) {
    await connection.close();
    throw new Error(`max_payload of the bus is ${payload} bytes, it must be at least ${LEAST_PAYLOAD}`);
  }
  void tellTroubles(connection, logger);
  return connection;
}

async function reach(options: ConnectionOptions, logger: Logger): Promise<NatsConnection> {
  const tell = onceInAWhile((error) => logger.warn({ err: error }, 'bus not reached yet'));
  for (let attempt = 1; ; attempt++) {
    try {
      return await stayConnected(options);
    } catch (error) {
      tell(error);
      await delay(backOff(attempt, PASSING_TROUBLE_MS));
    }
  }
}

/** What the bus refuses (a subject that is not the user's own, credentials) reaches nobody else. */
async function tellTroubles(connection: NatsConnection, logger: Logger): Promise<void> {
  const tellRefusal = onceInAWhile((error) => logger.error({ err: error }, 'the bus refused'));
  for await (const { type, data, permissionContext } of connection.status()) {
    if (type === Events.Disconnect || type === Events.Reconnect) logger.warn({ nats: type }, 'bus connection');
    if (type !== Events.Error) continue;
    const what = permissionContext ? ` to ${permissionContext.operation} ${permissionContext.subject}` : '';
    tellRefusal(new Error(`${typeof data === 'string' ? data : type}${what}`));
  }
}
