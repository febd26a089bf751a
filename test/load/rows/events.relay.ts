import { toCloudEvent, type Transition } from '@muster/contracts';
import { randomUUID } from 'node:crypto';
import type { BenchStack } from '../bench.stack.ts';
import { compared } from '../figure.ts';
import { drained } from '../job.run.ts';
import { JournalFill } from '../journal.fill.ts';
import { publishRunsRate } from '../peers/jetstream-publish.ts';
import type { Row } from './row.ts';

const SERVICE = 'job-planner';
const EVENTS = 200_000;
const LIMIT_MS = 90_000;
const ROUNDS = 2;

/** Events a second from a journal that is behind to the bus that acknowledged them; the faster of two. */
export const eventsRelay: Row = {
  name: 'events.relay',
  measure: async (bench) => {
    const payload = toCloudEvent(SERVICE, bench.file.project, exampleTransition());
    const relayed: number[] = [];
    const bare: number[] = [];
    const fill = await JournalFill.start(bench);
    try {
      for (let round = 0; round < ROUNDS; round++) {
        bare.push(await publishRunsRate(await bench.stack.nats(), EVENTS, payload));
        relayed.push(await relayRate(bench, fill));
      }
    } finally {
      await fill.stop();
    }
    const reference = { what: 'JetStream runs of 256', value: Math.max(...bare), unit: 'messages/s' };
    return {
      figures: [compared({ value: Math.max(...relayed), unit: 'events/s', reference, target: { atLeast: 0.6 } })],
      details: { events: EVENTS, payload_bytes: Buffer.byteLength(payload), relayed, bare },
    };
  },
};

const exampleTransition = (): Transition => ({
  entity: 'job-task',
  id: randomUUID(),
  from: null,
  to: 'Waiting',
  version: 1,
  at: Date.now(),
  data: { job_id: randomUUID(), target_id: randomUUID() },
});

/** The planner sleeps while its journal fills, so that its relay finds all of it waiting, as after a time in which the bus was away. */
async function relayRate(bench: BenchStack, fill: JournalFill): Promise<number> {
  await drained(bench, LIMIT_MS);
  const { pid } = (await bench.services()).find(({ name }) => name === SERVICE)!;
  process.kill(pid, 'SIGSTOP');
  try {
    await fill.add(EVENTS);
  } finally {
    process.kill(pid, 'SIGCONT');
  }
  const began = performance.now();
  await drained(bench, LIMIT_MS);
  return EVENTS / ((performance.now() - began) / 1000);
}
