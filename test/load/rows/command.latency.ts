import { commandDispatcher } from '@muster/contracts';
import { RpcClient } from '@muster/messaging';
import { randomUUID } from 'node:crypto';
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
const IN_PROGRESS_SECONDS = 60;

/** Milliseconds from the moment a command is asked for over the bus until its terminal event is there. */
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
  const rpc = new RpcClient(await bench.stack.nats());
  const ends = await TerminalWatch.start(bench, 'command');
  try {
    return await inSequence({ warmUp: WARM_UP, count: COMMANDS, most: MOST_MS }, async () => {
      const request_id = randomUUID();
      const request = {
        request_id,
        command: 'ping',
        args: {},
        in_progress_seconds: IN_PROGRESS_SECONDS,
        offline_seconds: IN_PROGRESS_SECONDS,
        priority: 0,
        reply_to: '',
      };
      const items = [{ command_id: randomUUID(), device_id: device }];
      const began = performance.now();
      await rpc.call(commandDispatcher.createCommands, { project_id: bench.file.project, request, items });
      return (await ends.of(request_id, LIMIT_MS)) - began;
    });
  } finally {
    ends.stop();
  }
}
