/** Counts the transitions of jobs, tasks and commands. Asked first from where, and then up to where: sequences by stream. */
import { doorOptions } from '@muster/bus-auth/connect';
import { notices } from '@muster/contracts';
import { connect, DeliverPolicy } from 'nats';
import { once } from 'node:events';
import { parentPort } from 'node:worker_threads';

const port = parentPort!;
const ID = /"id":"([^"]+)"/;
const COUNTED = new Set(['job', 'job-task', 'command']);
const NOTICES = new Set(notices.map(({ entity, name }) => `${entity.name}.${name}`));

const [{ url, creds, from }] = (await once(port, 'message')) as [
  { url: string; creds: string; from: Record<string, number> },
];
const connection = await connect(doorOptions({ url, creds, inbox: '_INBOX' }));
const jetstream = connection.jetstream();
const seen = new Set<string>();
const reached = new Map<string, number>(Object.entries(from));
let delivered = 0;
let caughtUp: (() => void) | undefined;

for (const [stream, sequence] of Object.entries(from)) {
  const consumer = await jetstream.consumers.get(stream, {
    deliver_policy: DeliverPolicy.StartSequence,
    opt_start_seq: sequence + 1,
  });
  await consumer.consume({
    max_messages: 1_000,
    callback: (message) => {
      reached.set(stream, message.seq);
      const [, , , entity, word] = message.subject.split('.') as [string, string, string, string, string];
      if (COUNTED.has(entity) && !NOTICES.has(`${entity}.${word}`)) {
        delivered++;
        // The id of a CloudEvent stands before its data; to parse all of it would slow down what is measured.
        seen.add(ID.exec(Buffer.from(message.data.subarray(0, 128)).toString())![1]!);
      }
      caughtUp?.();
    },
  });
}
port.postMessage({});

const [{ until }] = (await once(port, 'message')) as [{ until: Record<string, number> }];
await new Promise<void>((resolve) => {
  caughtUp = () => {
    if (Object.entries(until).every(([stream, sequence]) => (reached.get(stream) ?? 0) >= sequence)) resolve();
  };
  caughtUp();
});
port.postMessage({ delivered, unique: seen.size });
await connection.close();
