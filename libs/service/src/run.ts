import { createLogger } from './logger.js';
import { rebuildCommand } from './rebuild.command.js';
import { startService, type RunningService, type ServiceDefinition } from './start.js';

const STOP_WITHIN_MS = 15_000;

/**
 * A service's `main.ts`: runs it until SIGTERM, SIGINT, or the end of the parent that it talks to over IPC. With `rebuild` as its first
 * argument it brings the service's event stream back instead ({@link rebuildCommand}).
 */
export async function runService(definition: ServiceDefinition): Promise<void> {
  const [command, ...args] = process.argv.slice(2);
  if (command === 'rebuild') process.exit(await rebuildCommand(definition.service, args));
  if (command !== undefined) {
    process.stderr.write(`${command}: there is no such command, only rebuild\n`);
    process.exit(2);
  }
  const logger = createLogger(definition.service, 'info');
  const fail = (error: unknown, message: string) => {
    logger.fatal({ err: error }, message);
    process.exit(1);
  };
  process.on('uncaughtException', (error) => fail(error, 'uncaught exception'));
  process.on('unhandledRejection', (error) => fail(error, 'unhandled rejection'));

  let running: RunningService | undefined;
  let stopping = false;
  const stop = (why: string) => {
    if (stopping) return;
    stopping = true;
    logger.info({ why }, 'stopping');
    setTimeout(() => fail(new Error(`not stopped within ${STOP_WITHIN_MS} ms`), 'stop'), STOP_WITHIN_MS).unref();
    Promise.resolve(running?.stop()).then(
      () => process.exit(0),
      (error: unknown) => fail(error, 'stop'),
    );
  };
  process.on('SIGTERM', () => stop('SIGTERM'));
  process.on('SIGINT', () => stop('SIGINT'));
  process.on('disconnect', () => stop('parent gone'));

  try {
    running = await startService(definition);
    if (stopping) await running.stop();
    else process.send?.({ type: 'ready', url: running.url });
  } catch (error) {
    fail(error, 'could not start');
  }
}
