import { parseArgs } from 'node:util';

/** What `npm run chaos` is told, checked. */
export interface ChaosOptions {
  help: boolean;
  /** What every choice is drawn from. */
  seed: number;
  /** How long faults and load last; the heal and the verdicts come after that. */
  minutes: number;
  devices: number;
}

/** The user's options cannot be used: one line, exit code 2. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

const MAX_SEED = 2 ** 31 - 1;
const MAX_MINUTES = 24 * 60;
const MIN_DEVICES = 20;
const MAX_DEVICES = 100_000;

export const HELP = `npm run chaos -- [options]    breaks a stack of its own while it works, heals it, and checks seven promises

  --seed N        draws faults and load from N (0 to ${MAX_SEED}); without it a new one is drawn, and printed
  --minutes M     how long faults last, 0.1 to ${MAX_MINUTES} (2); the heal and the verdicts come after that
  --devices N     how many simulated devices, ${MIN_DEVICES} to ${MAX_DEVICES} (2000)
  --help          shows this

Exit code: 0 all promises hold, 1 one is broken or the run failed, 2 the options cannot be used, 130 it was stopped.
`;

/** @throws UsageError naming the option that cannot be used. */
export function readOptions(args: string[], drawSeed: () => number): ChaosOptions {
  const given = parse(args);
  return {
    help: given.help ?? false,
    seed: given.seed === undefined ? drawSeed() : whole('seed', given.seed, 0, MAX_SEED),
    minutes: given.minutes === undefined ? 2 : minutes(given.minutes),
    devices: given.devices === undefined ? 2_000 : whole('devices', given.devices, MIN_DEVICES, MAX_DEVICES),
  };
}

function parse(args: string[]) {
  try {
    return parseArgs({
      args,
      options: {
        seed: { type: 'string' },
        minutes: { type: 'string' },
        devices: { type: 'string' },
        help: { type: 'boolean' },
      },
    }).values;
  } catch (error) {
    throw new UsageError(`${(error as Error).message.split('\n')[0]!.split('. ')[0]}; --help lists the options`);
  }
}

function whole(name: string, text: string, from: number, to: number): number {
  const value = /^\d{1,10}$/.test(text) ? Number(text) : NaN;
  if (!(value >= from && value <= to))
    throw new UsageError(`--${name} must be a whole number from ${from} to ${to}, not "${text}"`);
  return value;
}

function minutes(text: string): number {
  const value = /^\d+(\.\d+)?$/.test(text) ? Number(text) : NaN;
  if (!(value >= 0.1 && value <= MAX_MINUTES))
    throw new UsageError(`--minutes must be a number from 0.1 to ${MAX_MINUTES}, not "${text}"`);
  return value;
}
