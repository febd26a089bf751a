import { startNats, type NatsOptions } from '@muster/servers';
import { makeScratch, natsFolder, removeScratch } from './scratch.js';

/** A nats-server with JetStream that belongs to one test file. */
export interface TestNats {
  url: string;
  mqttUrl: string;
  readonly pid: number;
  /** Ends it at once, as a crash does; its streams stay. */
  kill(): Promise<void>;
  /** Starts it again after {@link TestNats.kill}, on the same ports and with the same streams. */
  revive(): Promise<void>;
  /** Ends it and removes its streams. */
  stop(): Promise<void>;
}

/**
 * Starts a nats-server on a free port with empty streams; it lets in everybody, unless `options` say otherwise.
 * @throws ServerError when it does not start: a test that needs it fails, it is never skipped.
 */
export async function testNats(options: Pick<NatsOptions, 'authentication' | 'tls'> = {}): Promise<TestNats> {
  const scratch = await makeScratch();
  const dataDir = natsFolder(scratch);
  try {
    let server = await startNats({ ...options, dataDir });
    const { url, mqttUrl, port, mqttPort } = server;
    return {
      url,
      mqttUrl,
      get pid() {
        return server.pid;
      },
      kill: async () => {
        process.kill(server.pid, 'SIGKILL');
        await server.exited;
      },
      revive: async () => {
        server = await startNats({ ...options, dataDir, port, mqttPort });
      },
      stop: async () => {
        await server.stop();
        await removeScratch(scratch);
      },
    };
  } catch (error) {
    await removeScratch(scratch);
    throw error;
  }
}
