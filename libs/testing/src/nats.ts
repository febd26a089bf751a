import { startNats } from '@muster/servers';
import { makeScratch, natsFolder, removeScratch } from './scratch.js';

/** A nats-server with JetStream that belongs to one test file. */
export interface TestNats {
  url: string;
  mqttUrl: string;
  pid: number;
  /** Ends it and removes its streams. */
  stop(): Promise<void>;
}

/**
 * Starts a nats-server on a free port with empty streams.
 * @throws ServerError when it does not start: a test that needs it fails, it is never skipped.
 */
export async function testNats(): Promise<TestNats> {
  const scratch = await makeScratch();
  try {
    const server = await startNats({ dataDir: natsFolder(scratch) });
    return {
      url: server.url,
      mqttUrl: server.mqttUrl,
      pid: server.pid,
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
