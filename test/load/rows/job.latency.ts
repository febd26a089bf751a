import type { BenchStack } from '../bench.stack.ts';
import { inSequence, withSingleDevice } from '../single.device.ts';
import { percentile } from '../statistics.ts';
import { TerminalWatch } from '../terminal.watch.ts';
import type { Row } from './row.ts';

const WARM_UP = 10;
const JOBS = 100;
const LIMIT_MS = 10_000;
const MOST_MS = 20_000;

/** Milliseconds from the moment the HTTP create of a job over one device is sent until the terminal event of its command is there. */
export const jobLatency: Row = {
  name: 'job.latency',
  measure: async (bench) => {
    const latencies = await withSingleDevice(bench, 'single', (device) => latenciesOf(bench, device));
    const figure = (part: string, share: number) => ({ part, value: percentile(latencies, share), unit: 'ms' });
    return { figures: [figure('p50', 0.5), figure('p99', 0.99)], details: { latencies } };
  },
};

async function latenciesOf(bench: BenchStack, device: string): Promise<number[]> {
  const commands = await TerminalWatch.start(bench, 'command');
  const jobs = await TerminalWatch.start(bench, 'job');
  try {
    return await inSequence({ warmUp: WARM_UP, count: JOBS, most: MOST_MS }, async () => {
      const began = performance.now();
      const job = await bench.stack.createJob([device], { job_name: 'single' });
      const ended = await commands.of(job, LIMIT_MS);
      // The system is idle again once the job, too, has come to its end.
      await jobs.of(job, LIMIT_MS);
      return ended - began;
    });
  } finally {
    commands.stop();
    jobs.stop();
  }
}
