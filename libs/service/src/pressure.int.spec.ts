import { deviceEntity, eventStream, WORK_STREAM } from '@muster/contracts';
import { Journal } from '@muster/journal';
import { AckPolicy, type StreamConfig } from 'nats';
import { randomUUID } from 'node:crypto';
import { connect, type Socket } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { RunningService } from './testing/running-service.js';
import { guests, tinyService, trouble, welcome, welcomed } from './testing/tiny-service.js';

const PROJECT = 'acme';
const EVENTS = eventStream(deviceEntity.service);

let service: RunningService;

beforeAll(async () => {
  service = await RunningService.start(tinyService, {}, { users: false });
});
afterEach(() => trouble.clear());
afterAll(() => service.stop());

const manager = () => service.connection.jetstreamManager();
const configure = async (stream: string, change: Partial<StreamConfig>) => {
  const { config } = await (await manager()).streams.info(stream);
  await (await manager()).streams.update(stream, { ...config, ...change });
};
const unpublished = async () => {
  const [row] = await service.query<{ left: number }>(`SELECT count(*)::int AS left FROM journal WHERE NOT published`);
  return row!.left;
};
const untilPublished = () => vi.waitUntil(async () => (await unpublished()) === 0, { timeout: 40_000, interval: 50 });

/** As a job does: many entities, batch by batch, two transitions each. */
async function transitions(batches: number): Promise<number> {
  const size = 500;
  for (let batch = 0; batch < batches; batch++) {
    const id = Array.from({ length: size }, () => randomUUID());
    await service.get(Journal).transaction(PROJECT, async (tx) => {
      await tx.create(guests, { id, name: id });
      await tx.transition(guests, 'ONLINE', { ids: id });
    });
  }
  return 2 * batches * size;
}

/** A client of the bus that subscribes and then reads nothing more. */
async function deafSubscriber(...subjects: string[]): Promise<Socket> {
  const { hostname, port } = new URL(service.nats.url);
  const socket = connect({ host: hostname, port: Number(port) });
  const subscriptions = subjects.map((subject, index) => `SUB ${subject} ${index}\r\n`).join('');
  socket.write(`CONNECT {"verbose":false}\r\n${subscriptions}PING\r\n`);
  await new Promise<void>((resolve, reject) => {
    let said = '';
    socket.on('error', reject);
    socket.on('data', (chunk) => {
      said += chunk.toString();
      if (said.includes('PONG')) resolve();
    });
  });
  socket.removeAllListeners('data').pause();
  return socket;
}

describe('other systems that listen to events', () => {
  it('given one that never acknowledges and ones that read nothing, then all is published, and who listens well hears all', async () => {
    const { consumers } = await manager();
    await consumers.add(EVENTS, { durable_name: 'silent', ack_policy: AckPolicy.Explicit, max_ack_pending: 10 });
    await consumers.add(EVENTS, { deliver_subject: 'deaf.inbox', ack_policy: AckPolicy.None });
    const deaf = await deafSubscriber('deaf.inbox', 'muster.evt.>');
    const silent = await service.connection.jetstream().consumers.get(EVENTS, 'silent');
    try {
      const first = await transitions(1);
      await untilPublished();
      const given: number[] = [];
      for await (const { seq } of await silent.fetch({ max_messages: 10, expires: 5_000 })) given.push(seq);
      expect(given).toHaveLength(10);
      const count = first + (await transitions(7));
      await untilPublished();
      const { state } = await (await manager()).streams.info(EVENTS);
      expect(state.messages).toBe(count);
      await vi.waitUntil(() => service.events.length === count, { timeout: 10_000 });
      expect(await consumers.info(EVENTS, 'silent')).toMatchObject({ num_ack_pending: 10, num_pending: count - 10 });
    } finally {
      deaf.destroy();
      await consumers.delete(EVENTS, 'silent');
    }
  }, 60_000);

  it('given a stream that is full, then the oldest events go, and the newest are published', async () => {
    await configure(EVENTS, { max_msgs: 700 });
    try {
      const before = (await (await manager()).streams.info(EVENTS)).state.last_seq;
      const count = await transitions(2);
      await untilPublished();
      const { state } = await (await manager()).streams.info(EVENTS);
      expect([state.messages, state.last_seq]).toEqual([700, before + count]);
    } finally {
      await configure(EVENTS, { max_msgs: -1 });
    }
  });
});

describe('a consumer of work that is behind', () => {
  it('given a stream that takes no more, then work waits in the journal, is told in the metrics, and goes on when there is room', async () => {
    const ids = Array.from({ length: 12 }, () => randomUUID());
    for (const id of ids) trouble.set(id, 'not yet');
    await configure(WORK_STREAM, { max_msgs: 3 });
    try {
      for (const id of ids) {
        await service.get(Journal).transaction(PROJECT, async (tx) => tx.work(welcome, {}, [{ id }]));
      }
      const full = async () => (await (await manager()).streams.info(WORK_STREAM)).state.messages;
      await vi.waitUntil(async () => (await full()) === 3, { timeout: 10_000 });
      expect(await unpublished()).toBeGreaterThan(0);
      const metrics = await (await fetch(`${service.url}/metrics`)).text();
      const behind = metrics
        .split('\n')
        .filter((line) => line.startsWith('muster_consumer_messages{') && line.includes(welcome.consumer))
        .map((line) => Number(line.split(' ').at(-1)));
      expect(behind.reduce((sum, one) => sum + one, 0)).toBe(3);

      trouble.clear();
      await vi.waitUntil(() => ids.every((id) => welcomed.has(id)), { timeout: 25_000 });
      await untilPublished();
      expect(await service.query('SELECT FROM dead_letter')).toEqual([]);
    } finally {
      await configure(WORK_STREAM, { max_msgs: -1 });
    }
  }, 60_000);
});
