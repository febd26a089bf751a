import { once } from 'node:events';
import { until } from '../../harness/until.ts';
import type { BenchStack } from '../bench.stack.ts';
import { roundTrips } from '../peers/round-trip.ts';
import { percentile } from '../statistics.ts';
import { TerminalWatch } from '../terminal.watch.ts';
import type { Row } from './row.ts';

const WARM_UP = 20;
const COMMANDS = 200;
const PREFIX = 'single';
const LIMIT_MS = 10_000;
/** A machine that is slower gets by with fewer commands. */
const MOST_MS = 30_000;

/** Milliseconds from the moment the HTTP create of a job over one device is sent until the terminal event of its command is there. */
export const commandLatency: Row = {
  name: 'command.latency',
  measure: async (bench) => {
    const reference = await roundTrips(bench.file, WARM_UP, COMMANDS);
    const fleet = await bench.fleet(PREFIX, 1, 60_000);
    const latencies = await latenciesOf(bench).finally(async () => {
      fleet.kill('SIGTERM');
      await once(fleet, 'exit');
    });
    const bare = { what: 'request + 2 commits, p50', value: percentile(reference, 0.5), unit: 'ms' };
    const figure = (part: string, share: number, atMost: number) => {
      const value = percentile(latencies, share);
      return { part, value, unit: 'ms', reference: bare, ratio: value / bare.value, target: { atMost } };
    };
    return {
      figures: [figure('p50', 0.5, 3), figure('p99', 0.99, 10)],
      details: { latencies, reference },
    };
  },
};

async function latenciesOf(bench: BenchStack): Promise<number[]> {
  const id = await until('the device online', () => onlineDevice(bench), { timeout: LIMIT_MS });
  const commands = await TerminalWatch.start(bench, 'command');
  const jobs = await TerminalWatch.start(bench, 'job');
  try {
    const latencies: number[] = [];
    const giveUp = performance.now() + MOST_MS;
    for (let count = 0; latencies.length < COMMANDS && performance.now() < giveUp; count++) {
      const began = performance.now();
      const job = await bench.stack.createJob([id], { job_name: 'single' });
      const ended = await commands.of(job, LIMIT_MS);
      if (count >= WARM_UP) latencies.push(ended - began);
      // The system is idle again once the job, too, has come to its end.
      await jobs.of(job, LIMIT_MS);
    }
    return latencies;
  } finally {
    commands.stop();
    jobs.stop();
  }
}

async function onlineDevice(bench: BenchStack): Promise<string | undefined> {
  const { body } = await bench.stack.api<{ devices: { id: string }[] }>(
    'GET',
    `/api/v1/devices?name_prefix=${PREFIX}&online=true`,
  );
  return body.devices[0]?.id;
}
