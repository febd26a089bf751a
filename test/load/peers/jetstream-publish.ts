import { randomUUID } from 'node:crypto';
import { DiscardPolicy, StorageType, type NatsConnection, type PubAck } from 'nats';

const STREAM = 'BENCH_EVENTS';
const RUN = 256;
/** Runs that are under way at a time: enough to keep the server busy. */
const AHEAD = 16;
const MAX_BYTES = 2 * 1024 ** 3;

/** Publishes so many messages to a stream of their own, in runs of 256 with one acknowledgement each. @returns messages a second. */
export async function publishRunsRate(connection: NatsConnection, messages: number, payload: string): Promise<number> {
  const manager = await connection.jetstreamManager();
  await manager.streams.add({
    name: STREAM,
    subjects: ['bench.evt.>'],
    storage: StorageType.File,
    discard: DiscardPolicy.Old,
    max_bytes: MAX_BYTES,
  });
  try {
    const subjects = Array.from({ length: messages }, () => `bench.evt.demo.job-task.Successful.${randomUUID()}`);
    const jetstream = connection.jetstream();
    const underWay: Promise<PubAck>[] = [];
    const began = performance.now();
    for (let at = 0; at < messages; at += RUN) {
      const run = subjects.slice(at, at + RUN);
      const last = run.pop()!;
      for (const subject of run) connection.publish(subject, payload);
      underWay.push(jetstream.publish(last, payload));
      if (underWay.length === AHEAD) await underWay.shift();
    }
    await Promise.all(underWay);
    const seconds = (performance.now() - began) / 1000;
    const { state } = await manager.streams.info(STREAM);
    if (state.last_seq !== messages) throw new Error(`the stream holds ${state.last_seq} of ${messages} messages`);
    return messages / seconds;
  } finally {
    await manager.streams.delete(STREAM);
  }
}
