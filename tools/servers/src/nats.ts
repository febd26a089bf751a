import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { launch, type Launched } from './launch.js';
import { findNats } from './nats-binary.js';
import { natsConfig, type NatsAuthentication, type NatsTls } from './nats-config.js';
import { freePort, portIsFree } from './ports.js';
import { commandLine, stopProcess } from './processes.js';
import { ServerError } from './server-error.js';
import type { Server } from './server.js';

export interface NatsOptions {
  /** Folder of the configuration, the pid file and the streams; made when missing, found again otherwise. */
  dataDir: string;
  /** TCP port for NATS; without it the operating system chooses a free one. */
  port?: number;
  /** TCP port for MQTT; without it the operating system chooses a free one. */
  mqttPort?: number;
  /** Without it the server lets in everybody. */
  authentication?: NatsAuthentication | undefined;
  /** With it all connections, MQTT too, are encrypted. */
  tls?: NatsTls | undefined;
  /** Gets each line that the server writes to its log. */
  onLog?: (line: string) => void;
}

export interface NatsServer extends Server {
  /** `mqtt://127.0.0.1:<port>`, or `mqtts://` with TLS. */
  readonly mqttUrl: string;
  readonly mqttPort: number;
}

const HOST = '127.0.0.1';
/** Streams are read back before the first connection is accepted. */
const START_MS = 60_000;
const STOP_MS = 10_000;
const POLL_MS = 25;
const ATTEMPTS = 5;

/** The first line a NATS server says to a client, parsed. */
const greeting = (port: number) =>
  new Promise<{ jetstream?: boolean }>((resolve, reject) => {
    const socket = connect({ host: HOST, port });
    let text = '';
    socket.setTimeout(5_000, () => socket.destroy(new Error('no greeting')));
    socket.on('error', reject);
    socket.on('close', () => reject(new Error('closed before the greeting')));
    socket.on('data', (chunk) => {
      text += chunk.toString('utf8');
      const end = text.indexOf('\r\n');
      if (end < 0) return;
      socket.destroy();
      resolve(JSON.parse(text.slice('INFO '.length, end)) as { jetstream?: boolean });
    });
  });

async function untilAccepting(server: Launched, port: number): Promise<void> {
  const deadline = Date.now() + START_MS;
  while (server.ending() === undefined && Date.now() < deadline) {
    const said = await greeting(port).catch(() => undefined);
    if (said?.jetstream) return;
    await delay(POLL_MS);
  }
  throw new ServerError(
    server.ending() === undefined
      ? `it accepts no connection after ${START_MS / 1000} s`
      : `it ended (${server.ending()})`,
  );
}

const configFile = (dataDir: string) => join(dataDir, 'nats-server.conf');

/** Ends a nats-server that an earlier run left behind on this folder. */
export async function stopStaleNats(dataDir: string): Promise<void> {
  const pid = Number(await readFile(join(dataDir, 'nats-server.pid'), 'utf8').catch(() => ''));
  if (pid && commandLine(pid).includes(configFile(dataDir))) await stopProcess(pid, 'SIGTERM', STOP_MS);
}

const demandFree = async (port: number | undefined, protocol: string) => {
  if (port && !(await portIsFree(port))) {
    throw new ServerError(`port ${port} is in use: nats-server cannot listen on ${HOST}:${port} for ${protocol}`);
  }
};

/**
 * Starts a real nats-server with JetStream and MQTT on 127.0.0.1. The promise settles once it accepts connections. A server left
 * behind on the same folder is ended first.
 * @throws ServerError, one line, when a port is taken, there is no nats-server or it does not start.
 */
export async function startNats(options: NatsOptions): Promise<NatsServer> {
  const { authentication, tls } = options;
  const dataDir = resolve(options.dataDir);
  const config = configFile(dataDir);
  const binary = await findNats();
  await mkdir(dataDir, { recursive: true });
  await stopStaleNats(dataDir);
  await demandFree(options.port, 'NATS');
  await demandFree(options.mqttPort, 'MQTT');

  for (let attempt = 1; ; attempt++) {
    const port = options.port ?? (await freePort());
    const mqttPort = options.mqttPort ?? (await freePort());
    await writeFile(config, natsConfig({ host: HOST, port, mqttPort, dataDir, authentication, tls }));
    const server = await launch(binary, ['-c', config], {}, { onLog: options.onLog });
    const stop = () => server.stop('SIGTERM', STOP_MS);
    try {
      await untilAccepting(server, port);
      const { pid, exited } = server;
      return {
        url: `${tls ? 'tls' : 'nats'}://${HOST}:${port}`,
        mqttUrl: `${tls ? 'mqtts' : 'mqtt'}://${HOST}:${mqttPort}`,
        port,
        mqttPort,
        pid,
        exited,
        stop,
      };
    } catch (error) {
      await stop();
      const lines = server.tail();
      const taken = lines.some((line) => line.includes('address already in use'));
      if (taken && !(options.port && options.mqttPort) && attempt < ATTEMPTS) continue;
      const fatal = lines.find((line) => line.includes('[FTL]')) ?? lines.at(-1) ?? '';
      const why = fatal.replace(/^.*\[\w+\]\s*/, '') || (error as Error).message;
      throw new ServerError(`nats-server does not start in ${dataDir}: ${why}`);
    }
  }
}
