import { UsageError } from './usage.js';

/**
 * Resolves once with the reason when this process is asked to stop: SIGTERM, SIGINT, or the end of the IPC channel,
 * which means that whoever started it is gone.
 */
export function stopRequest(): Promise<string> {
  return new Promise((resolve) => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => resolve(signal));
    if (process.send) process.once('disconnect', () => resolve('parent gone'));
  });
}

/** Says `{type:'ready'}` to the process that spawned this one with an IPC channel; nothing without one. */
export function tellReady(): void {
  if (process.connected) process.send?.({ type: 'ready' });
}

/** Runs a program to its end and exits: 0, 2 when the user's options cannot be used, 1 on any other failure. */
export async function runProgram(program: (stop: Promise<string>) => Promise<void>): Promise<never> {
  try {
    await program(stopRequest());
    process.exit(0);
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    process.stderr.write(`${message.replaceAll('\n', ' ')}\n`);
    process.exit(error instanceof UsageError ? 2 : 1);
  }
}
