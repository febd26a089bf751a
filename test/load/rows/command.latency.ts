import type { BenchStack } from '../bench.stack.ts';
import { compared } from '../figure.ts';
import { roundTrips } from '../peers/round-trip.ts';
import { inSequence, withSingleDevice } from '../single.device.ts';
import { percentile } from '../statistics.ts';
import { TerminalWatch } from '../terminal.watch.ts';
import type { Row } from './row.ts';

const WARM_UP = 20;
const COMMANDS = 200;
const LIMIT_MS = 10_000;
const MOST_MS = 30_000;

/** Milliseconds from the HTTP request for a command until its terminal event is there. */
export const commandLatency: Row = {
  name: 'command.latency',
  measure: async (bench) => {
    const reference = await roundTrips(bench.stack, WARM_UP, COMMANDS);
    const latencies = await withSingleDevice(bench, 'command', (device) => latenciesOf(bench, device));
    const bare = { what: 'request + 2 commits, p50', value: percentile(reference, 0.5), unit: 'ms' };
    const figure = (part: string, share: number, atMost: number) =>
      compared({ part, value: percentile(latencies, share), unit: 'ms', reference: bare, target: { atMost } });
    return {
      figures: [figure('p50', 0.5, 3), figure('p99', 0.99, 10)],
      details: { latencies, reference },
    };
  },
};

async function latenciesOf(bench: BenchStack, device: string): Promise<number[]> {
  const ends = await TerminalWatch.start(bench, 'command');
  try {
    return await inSequence({ warmUp: WARM_UP, count: COMMANDS, most: MOST_MS }, async () => {
      const began = performance.now();
      const { body } = await bench.stack.api<{ content: { id: string } }>('POST', '/api/commands/v0/commands/', {
        command: 'ping',
        devices: [device],
      });
      return (await ends.of(body.content.id, LIMIT_MS)) - began;
    });
  } finally {
    ends.stop();
  }
}
