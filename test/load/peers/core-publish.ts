import { randomUUID } from 'node:crypto';
import type { NatsConnection } from 'nats';

const ROUNDS = 5;

/**
 * Publishes so many messages to subjects that nobody listens to, and waits until the server has them; several times, since it is
 * over in a moment.
 * @returns messages a second, of the fastest time.
 */
export async function publishRate(connection: NatsConnection, messages: number, payload: string): Promise<number> {
  const subjects = Array.from({ length: messages }, () => `bench.dev.${randomUUID()}.hello`);
  let rate = 0;
  for (let round = 0; round < ROUNDS; round++) {
    const began = performance.now();
    for (const subject of subjects) connection.publish(subject, payload);
    await connection.flush();
    rate = Math.max(rate, messages / ((performance.now() - began) / 1000));
  }
  return rate;
}
