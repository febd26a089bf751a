import 'reflect-metadata';
import { INTERRUPTED, onInterrupt } from '@muster/servers';
import { randomInt } from 'node:crypto';
import { HELP, readOptions, UsageError, type ChaosOptions } from './options.ts';
import { run } from './run.ts';
import { verdictLines } from './verdict.ts';
import { World } from './world.ts';

const say = (line: string) => void process.stdout.write(`${line}\n`);

const interrupted = new AbortController();
onInterrupt(
  () => interrupted.abort(new Error('stopped')),
  () => process.exit(INTERRUPTED),
);

/** @returns the exit code. */
async function main(options: ChaosOptions): Promise<number> {
  const { seed, minutes, devices } = options;
  say(`chaos: seed ${seed}, ${minutes} minutes, ${devices} devices`);
  const world = await World.start(seed);
  try {
    interrupted.signal.throwIfAborted();
    const verdicts = await run(world, options, say, interrupted.signal);
    for (const line of verdicts.flatMap(verdictLines)) say(line);
    if (verdicts.every((verdict) => verdict.broken.length === 0)) return 0;
    say(
      `logs are kept in ${await world.keepLogs(seed)}; again: npm run chaos -- --seed ${seed} --minutes ${minutes} --devices ${devices}`,
    );
    return 1;
  } finally {
    await world.stop();
  }
}

try {
  const options = readOptions(process.argv.slice(2), () => randomInt(2 ** 31));
  if (options.help) process.stdout.write(HELP);
  else process.exitCode = await main(options);
} catch (error) {
  // Whatever failed after an interruption failed for it.
  const { aborted } = interrupted.signal;
  // What was not foreseen is told with its place; a wrong option or an interruption needs none.
  const { name, message, stack } = (aborted ? interrupted.signal.reason : error) as Error;
  process.stderr.write(`${name === 'Error' || error instanceof UsageError ? message : (stack ?? message)}\n`);
  process.exitCode = aborted ? INTERRUPTED : error instanceof UsageError ? 2 : 1;
}
process.exit();
