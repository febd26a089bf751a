import { createServer, type AddressInfo, type Server } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { connectBus } from './bus.js';
import { createLogger } from './logger.js';

let server: Server;
afterEach(() => new Promise((resolve) => server.close(resolve)));

/** A server that greets as a bus does and answers its pings. */
const busThatCarries = async (maxPayload: number): Promise<string> => {
  server = createServer((socket) => {
    socket.write(`INFO {"server_id":"x","version":"2.9.10","proto":1,"headers":true,"max_payload":${maxPayload}}\r\n`);
    socket.on('data', (data) => {
      if (data.includes('PING')) socket.write('PONG\r\n');
    });
    socket.on('error', () => undefined);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `nats://127.0.0.1:${(server.address() as AddressInfo).port}`;
};

const connectTo = async (maxPayload: number) => {
  const natsUrl = await busThatCarries(maxPayload);
  return connectBus(
    { service: 'job-planner', natsUrl, natsCreds: undefined, natsCa: undefined },
    createLogger('test', 'fatal'),
  );
};

describe('connecting to the bus', () => {
  it('given one that carries too little in a message, then the service refuses to start and says what it needs', async () => {
    await expect(connectTo(65_536)).rejects.toThrow(
      'max_payload of the bus is 65536 bytes, it must be at least 1048576',
    );
  });

  it('given one that carries just enough, then it is connected', async () => {
    const connection = await connectTo(1_048_576);
    expect(connection.isClosed()).toBe(false);
    await connection.close();
  });
});
