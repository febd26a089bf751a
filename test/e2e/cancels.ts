import fc from 'fast-check';
import type { ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import type { Stack } from '../harness/stack.js';

/** What is drawn for one cancel. */
export interface Draw {
  /** How many of the quick devices take part. */
  quick: number;
  /** Of them, how many have something behind them by then, or are in the first wave. */
  part: number;
  /** Which of several ways. */
  way: number;
  slowFirst: boolean;
  /** How many say it at once. */
  cancels: number;
}

/** Cancels over up to so many quick devices. */
export const drawsOf = (most: number): fc.Arbitrary<Draw> =>
  fc
    .record({
      quick: fc.integer({ min: 2, max: most }),
      part: fc.integer({ min: 1, max: most }),
      way: fc.nat(),
      slowFirst: fc.boolean(),
      cancels: fc.integer({ min: 1, max: 3 }),
    })
    .map((draw) => ({ ...draw, part: Math.min(draw.part, draw.quick - 1) }));

/** A fleet whose devices note what they execute. */
export interface NotingFleet {
  process: ChildProcess;
  log: string;
  /** Where its devices note what their executions came to. */
  ends: string;
  ids: string[];
}

export async function notingFleet(
  stack: Stack,
  prefix: string,
  count: number,
  ...args: string[]
): Promise<NotingFleet> {
  const log = join(stack.dataDir, `${prefix}.ndjson`);
  const ends = join(stack.dataDir, `${prefix}-ends.ndjson`);
  const options = ['--prefix', prefix, '--count', String(count), '--executions', log, '--ends', ends, ...args];
  const process = await stack.fleet(options);
  const { body } = await stack.api<{ devices: { id: string }[] }>('GET', `/api/v1/devices?name_prefix=${prefix}`);
  return { process, log, ends, ids: body.devices.map(({ id }) => id) };
}
