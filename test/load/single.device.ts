import { once } from 'node:events';
import { until } from '../harness/until.ts';
import type { BenchStack } from './bench.stack.ts';

const START_MS = 60_000;
const ONLINE_MS = 10_000;

/** Does something with one device that is online, of a fleet of its own that is ended afterwards. */
export async function withSingleDevice<T>(
  bench: BenchStack,
  prefix: string,
  does: (device: string) => Promise<T>,
): Promise<T> {
  const fleet = await bench.fleet(prefix, 1, START_MS);
  try {
    return await does(await until('the device online', () => onlineDevice(bench, prefix), { timeout: ONLINE_MS }));
  } finally {
    fleet.kill('SIGTERM');
    await once(fleet, 'exit');
  }
}

async function onlineDevice(bench: BenchStack, prefix: string): Promise<string | undefined> {
  const { body } = await bench.stack.api<{ devices: { id: string }[] }>(
    'GET',
    `/api/v1/devices?name_prefix=${prefix}&online=true`,
  );
  return body.devices[0]?.id;
}

/**
 * Measures one after the other, the first `warmUp` for nothing, until there are `count`, or `most` ms are over: a machine that is slower gets
 * by with fewer.
 * @returns what `one` gave each time: milliseconds.
 */
export async function inSequence(
  { warmUp, count, most }: { warmUp: number; count: number; most: number },
  one: () => Promise<number>,
): Promise<number[]> {
  const latencies: number[] = [];
  const giveUp = performance.now() + most;
  for (let done = 0; latencies.length < count && (performance.now() < giveUp || latencies.length === 0); done++) {
    const latency = await one();
    if (done >= warmUp) latencies.push(latency);
  }
  return latencies;
}
