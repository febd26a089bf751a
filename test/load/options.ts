import { parseArgs } from 'node:util';

/** The rows in the order in which they are printed. */
export const ROWS = [
  'job.e2e',
  'job.scale',
  'job.memory',
  'operation.rollout',
  'pipeline.e2e',
  'command.latency',
  'job.latency',
  'events.relay',
  'read.job',
  'fleet.connect',
  'idle',
] as const;

/** N, unless it is said. */
export const DEVICES = 20_000;

export type RowName = (typeof ROWS)[number];

export interface BenchOptions {
  help: boolean;
  /** File that gets everything that was measured. */
  json: string | undefined;
  only: readonly RowName[];
  /** N of the rows. */
  devices: number;
}

export const HELP = `npm run bench -- [options]      measures Muster on this machine, beside what others do in the same run

  --only ROW      measures this row alone; may be repeated, or name several with commas
  --devices N     how many devices a job has (${DEVICES}; 100 to 200000); job.scale and job.memory take five times as many
  --json FILE     writes everything that was measured into this file
  --help          shows this

Rows: ${ROWS.join(', ')}
`;

/** The options cannot be used: one line, exit code 2. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** @throws UsageError naming the option that cannot be used. */
export function readOptions(args: readonly string[]): BenchOptions {
  const { help, json, only, devices } = parse(args);
  if (json === '') throw new UsageError('--json: must be the name of a file');
  const named = (only ?? []).flatMap((list) => list.split(',')).map((name) => name.trim());
  for (const name of named) {
    if (!isRow(name)) throw new UsageError(`--only: there is no row "${name}"; there are ${ROWS.join(', ')}`);
  }
  return {
    help,
    json,
    only: named.length > 0 ? ROWS.filter((row) => named.includes(row)) : ROWS,
    devices: whole(devices),
  };
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      options: {
        help: { type: 'boolean', default: false },
        json: { type: 'string' },
        only: { type: 'string', multiple: true },
        devices: { type: 'string', default: String(DEVICES) },
      },
    }).values;
  } catch (error) {
    throw new UsageError(`${(error as Error).message.split('\n')[0]!.split('. ')[0]}; --help lists the options`);
  }
}

const isRow = (name: string): name is RowName => (ROWS as readonly string[]).includes(name);

function whole(text: string): number {
  const value = /^\d{1,9}$/.test(text) ? Number(text) : NaN;
  if (!(value >= 100 && value <= 200_000)) {
    throw new UsageError(`--devices: must be a whole number from 100 to 200000, not "${text}"`);
  }
  return value;
}
