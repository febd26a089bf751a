import { Worker } from 'node:worker_threads';
import type { BenchStack } from '../bench.stack.ts';
import { compared } from '../figure.ts';
import { percentile } from '../statistics.ts';
import { ask } from '../workers/ask.ts';
import type { HttpLoad, HttpResult } from '../workers/load-http.ts';
import type { Row } from './row.ts';

const CONNECTIONS = 16;
/** Both paths are read in turns, so that both meet the same load. */
const TURN_MS = 500;
const TURNS = 12;
const ANSWER_MS = 30_000;

interface Reads {
  requests: number;
  seconds: number;
  latencies: number[];
}

/** Milliseconds that a device takes: the job runs for longer than it is read, however fast the machine and few the devices. */
const LATENCY = '0-20000';

/** Reads of a job while its tasks run, beside reads of `/healthz` in the same time. */
export const readJob: Row = {
  name: 'read.job',
  measure: async (bench) => {
    const job: Reads = { requests: 0, seconds: 0, latencies: [] };
    const health: Reads = { requests: 0, seconds: 0, latencies: [] };
    const worker = new Worker(new URL('../workers/load-http.ts', import.meta.url));
    try {
      await bench.reconnect(LATENCY);
      await bench.job({
        counted: false,
        beside: (id, over) => takeTurns(bench, worker, over, [job, jobPath(bench, id)], [health, '/healthz']),
      });
    } finally {
      await worker.terminate();
    }
    if (job.requests === 0 || health.requests === 0) throw new Error('the job was over before it could be read');
    const reference = { what: '/healthz', value: rate(health), unit: 'req/s' };
    return {
      figures: [
        compared({ value: rate(job), unit: 'req/s', reference, target: { atLeast: 0.25 } }),
        {
          part: 'p99',
          value: percentile(job.latencies, 0.99),
          unit: 'ms',
          reference: { what: '/healthz', value: percentile(health.latencies, 0.99), unit: 'ms' },
        },
      ],
      details: { connections: CONNECTIONS, job: summary(job), healthz: summary(health) },
    };
  },
};

const jobPath = (bench: BenchStack, id: string) => `/v2/${bench.file.project}/productmgr/jobs/${id}`;

const rate = ({ requests, seconds }: Reads) => requests / seconds;

const summary = ({ requests, seconds, latencies }: Reads) => ({
  requests,
  seconds,
  p50_ms: percentile(latencies, 0.5),
  p99_ms: percentile(latencies, 0.99),
});

/** A turn in which the job came to its end does not count. */
async function takeTurns(bench: BenchStack, worker: Worker, over: AbortSignal, ...paths: [Reads, string][]) {
  const { gateway, token } = bench.file;
  for (let turn = 0; turn < TURNS; turn++) {
    for (const [reads, path] of paths) {
      const load: HttpLoad = { url: gateway.url, path, token, connections: CONNECTIONS, ms: TURN_MS };
      const { refused, seconds, latencies } = await ask<HttpResult>(worker, load, ANSWER_MS);
      if (over.aborted) return;
      if (refused) throw new Error(`GET ${path} answered ${refused}`);
      reads.requests += latencies.length;
      reads.seconds += seconds;
      reads.latencies.push(...latencies);
    }
  }
}
