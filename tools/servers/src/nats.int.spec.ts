import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { once } from 'node:events';
import { createConnection, createServer, type Server as TcpServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect } from 'nats';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { freePort, isAlive, startNats, type NatsServer } from './index.js';

/** MQTT 3.1.1, 3.2: accepted, no session present. */
const CONNACK_ACCEPTED = Buffer.from('20020000', 'hex');

const connectOverMqtt = async (port: number): Promise<Buffer> => {
  const socket = createConnection({ host: '127.0.0.1', port });
  // MQTT 3.1.1, 3.1: protocol level 4, clean session, keep alive 60 s, client id "ab".
  socket.write(Buffer.from('100e00044d5154540402003c00026162', 'hex'));
  const [answer] = (await once(socket, 'data')) as [Buffer];
  socket.destroy();
  return answer;
};

describe('startNats', () => {
  let dataDir: string;
  const started: NatsServer[] = [];
  const start = async (port?: number) => {
    const server = await startNats({ dataDir, ...(port ? { port } : {}) });
    started.push(server);
    return server;
  };
  const keepMessage = async (url: string) => {
    const connection = await connect({ servers: url });
    await (await connection.jetstreamManager()).streams.add({ name: 'KEPT', subjects: ['kept'] });
    await connection.jetstream().publish('kept', 'message');
    await connection.close();
  };
  const countKept = async (url: string) => {
    const connection = await connect({ servers: url });
    try {
      return (await (await connection.jetstreamManager()).streams.info('KEPT')).state.messages;
    } finally {
      await connection.close();
    }
  };

  beforeEach(async () => {
    dataDir = await mkdtemp(join(tmpdir(), 'muster-servers-'));
    await chmod(dataDir, 0o755);
  });

  afterEach(async () => {
    await Promise.all(started.splice(0).map((server) => server.stop()));
    await rm(dataDir, { recursive: true, force: true });
  });

  it('given an empty folder, when it is started, then it carries messages of 8 MB and accepts MQTT', async () => {
    const server = await start();
    const connection = await connect({ servers: server.url });

    expect(connection.info?.jetstream).toBe(true);
    expect(connection.info?.max_payload).toBe(8 * 1024 * 1024);
    await connection.close();
    expect(await connectOverMqtt(server.mqttPort)).toEqual(CONNACK_ACCEPTED);
  });

  it('given streams of an earlier run, when it is started again, then it finds them', async () => {
    const first = await start();
    await keepMessage(first.url);
    await first.stop();
    expect(isAlive(first.pid)).toBe(false);

    expect(await countKept((await start()).url)).toBe(1);
  });

  it('given a server that was killed, when it is started on the same port, then it comes back with its streams', async () => {
    const first = await start();
    await keepMessage(first.url);
    process.kill(first.pid, 'SIGKILL');
    expect(await first.exited).toBe('SIGKILL');

    const second = await start(first.port);

    expect(second.url).toBe(first.url);
    expect(await countKept(second.url)).toBe(1);
  });

  it('given a server that still runs on the folder, when it is started, then the old one is ended first', async () => {
    const first = await start();

    const second = await start(first.port);

    expect(isAlive(first.pid)).toBe(false);
    expect(isAlive(second.pid)).toBe(true);
  });

  it('given a port in use, when it is started on it, then one line names the port', async () => {
    const port = await freePort();
    const other = await new Promise<TcpServer>((resolve) => {
      const server = createServer().listen(port, '127.0.0.1', () => resolve(server));
    });

    try {
      await expect(start(port)).rejects.toThrow(
        `port ${port} is in use: nats-server cannot listen on 127.0.0.1:${port} for NATS`,
      );
    } finally {
      other.close();
    }
  });
});
