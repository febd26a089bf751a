import { INTERRUPTED, onInterrupt, ServerError } from '@muster/servers';
import { openDataFolder, type DataFolder } from './data-folder.js';
import { runDemo } from './demo.js';
import { messageOf, StackError, UsageError } from './errors.js';
import { guide } from './guide.js';
import { nodesOf, readInventory } from './inventory.js';
import { whileLocked } from './lock.js';
import { HELP, readOptions, type StackOptions } from './options.js';
import { serveSites } from './site-server.js';
import { StackFile } from './stack-file.js';
import { Stack } from './stack.js';
import { Terminal } from './terminal.js';
import { APPS } from './workspace.js';

const LEFTOVER_MS = 5_000;

const isExpected = (error: unknown) =>
  error instanceof UsageError || error instanceof StackError || error instanceof ServerError;

const describe = (error: unknown) =>
  isExpected(error) || !(error instanceof Error) ? messageOf(error) : (error.stack ?? error.message);

/** Settles when the user wants to stop. */
function interruption(stack: Stack, terminal: Terminal): AbortSignal {
  const interrupted = new AbortController();
  onInterrupt(
    () => {
      terminal.say('Stopping … (Ctrl-C again ends everything at once)');
      interrupted.abort();
    },
    () => {
      stack.kill();
      process.exit(INTERRUPTED);
    },
  );
  return interrupted.signal;
}

const aborted = (signal: AbortSignal) =>
  new Promise<undefined>((resolve) => {
    if (signal.aborted) resolve(undefined);
    else signal.addEventListener('abort', () => resolve(undefined), { once: true });
  });

/** The demo; undefined when it was interrupted, or failed in a stack that stays up. */
async function tryDemo(
  stack: Stack,
  options: StackOptions,
  folder: DataFolder,
  terminal: Terminal,
  signal: AbortSignal,
) {
  try {
    const demo = await runDemo(stack, options, folder, terminal, signal);
    const { status, task_success_count, task_total_count, seconds, devices_per_second } = demo.result;
    terminal.say(
      `${status}: ${task_success_count} of ${task_total_count} nodes in ${seconds} s, ${devices_per_second} nodes a second`,
    );
    return demo;
  } catch (error) {
    if (signal.aborted) return undefined;
    if (options.once) throw error;
    terminal.say(`The demo failed: ${describe(error)}`);
    return undefined;
  }
}

/** Starts everything, and returns when the user, or the demo of `--once`, has come to the end. */
async function session(
  stack: Stack,
  options: StackOptions,
  folder: DataFolder,
  terminal: Terminal,
  signal: AbortSignal,
) {
  const began = performance.now();
  await Promise.race([stack.start(), aborted(signal)]);
  if (signal.aborted) return undefined;
  terminal.say(`Muster is ready after ${((performance.now() - began) / 1000).toFixed(1)} s: ${stack.gateway}`);
  const demoing = options.demo ? tryDemo(stack, options, folder, terminal, signal) : undefined;
  const demo = await Promise.race([demoing, aborted(signal)]);
  if (signal.aborted || options.once) return demo;
  const sites = demo ? await serveSites(folder.sites) : undefined;
  for (const line of guide(stack, options, demo, sites?.url)) terminal.say(line);
  await aborted(signal);
  sites?.close();
  return demo;
}

/** @returns the exit code. */
async function run(options: StackOptions): Promise<number> {
  const terminal = new Terminal(options.once ? process.stderr : process.stdout);
  const folder = await openDataFolder(options.dataDir);
  // A mistake in the inventory is told before anything is started.
  if (options.inventory) nodesOf(await readInventory(options.inventory), options.nodes);
  const demo = await whileLocked(folder.lock, async (takenOverFrom) => {
    const file = new StackFile(folder.stack);
    const stack = new Stack(options, folder, file, terminal.say);
    const signal = interruption(stack, terminal);
    try {
      if (takenOverFrom !== undefined) {
        terminal.say(`The stack before (pid ${takenOverFrom}) did not stop cleanly; its data folder is taken over.`);
        await file.endLeftovers(APPS, LEFTOVER_MS);
      }
      return await session(stack, options, folder, terminal, signal);
    } finally {
      await stack.stop();
    }
  });
  if (!options.once) return 0;
  if (!demo) return INTERRUPTED;
  process.stdout.write(`${JSON.stringify(demo.result)}\n`);
  return demo.result.status === 'Successful' ? 0 : 1;
}

try {
  const options = readOptions(process.argv.slice(2), process.env);
  if (options.help) process.stdout.write(HELP);
  else process.exitCode = await run(options);
} catch (error) {
  process.stderr.write(`${describe(error)}\n`);
  process.exitCode = error instanceof UsageError ? 2 : 1;
}
process.exit();
