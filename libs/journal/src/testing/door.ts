import { defineEntity, defineNotice, eventStream } from '@muster/contracts';
import { defineLifecycle } from '@muster/lifecycle';
import { createDataSource, migrate, provision } from '@muster/persistence';
import { testNats, testPostgres } from '@muster/testing';
import { connect, RetentionPolicy, type NatsConnection, type StoredMsg } from 'nats';
import Type from 'typebox';
import type { DataSource, MigrationInterface, QueryRunner } from 'typeorm';
import { v7 as uuid } from 'uuid';
import { vi } from 'vitest';
import { Journal, type FaultPoint } from '../journal.js';
import { Journal1700000000000 } from '../journal.migration.js';
import { ensurePartitions } from '../partitions.js';
import { Relay, type RelayOptions } from '../relay.js';
import { defineStateTable, stateTableColumns } from '../state-table.js';

export const SERVICE = 'job-planner';
export const SCHEMA = 'job_planner';
export const PROJECT = 'acme';
export const STREAM = eventStream(SERVICE);

const doorEntity = defineEntity('door', SERVICE, ['Open', 'Closed', 'Locked'], { house: Type.String() });

/** What is told of a door beside its transitions. */
export const warmth = defineNotice(doorEntity, 'warmth', { degrees: Type.Integer() });

export const doorTable = defineStateTable(doorEntity, {
  lifecycle: defineLifecycle({
    entity: 'door',
    initial: 'Open',
    states: { Open: { to: ['Closed'] }, Closed: { to: ['Open', 'Locked'] }, Locked: { to: [], ends: true } },
  }),
  table: 'door',
  columns: { house: 'text', turns: 'integer' },
  eventData: ['house'],
  activity: true,
  traced: false,
});

class Doors1700000000001 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`CREATE TABLE door (
      ${stateTableColumns({ activity: true, traced: false })}, house text NOT NULL, turns integer NOT NULL DEFAULT 0, PRIMARY KEY (project_id, id))`);
  }

  async down(): Promise<void> {}
}

/** Doors of a house in a real database, and a real bus to tell of them. */
export async function doors() {
  const postgres = await testPostgres();
  const nats = await testNats();
  const urls = await provision(await postgres.createDatabase(), [{ name: SERVICE, password: 'secret' }]);
  const databaseUrl = urls[SERVICE]!;
  const dataSource = createDataSource({
    url: databaseUrl,
    schema: SCHEMA,
    entities: [],
    migrations: [Journal1700000000000, Doors1700000000001],
  });
  await dataSource.initialize();
  await migrate(dataSource);
  await ensurePartitions(dataSource);
  const connection = await connect({ servers: nats.url, maxReconnectAttempts: -1, reconnectTimeWait: 50 });
  const ensureStreams = () => makeStream(connection);
  await ensureStreams();
  const relays: Relay[] = [];

  return {
    dataSource,
    databaseUrl,
    connection,
    nats,
    ensureStreams,
    journal: (fault?: (point: FaultPoint) => void) =>
      new Journal(dataSource, { schema: SCHEMA, ...(fault ? { fault } : {}) }),
    /** A relay that runs until it is stopped, at the latest with the house. */
    startRelay: (options: Partial<RelayOptions> = {}): Relay => {
      const relay = new Relay({ service: SERVICE, schema: SCHEMA, databaseUrl, connection, ensureStreams, ...options });
      relays.push(relay);
      relay.start();
      return relay;
    },
    untilPublished: () => vi.waitUntil(() => published(dataSource), { timeout: 20_000 }),
    stop: async () => {
      await Promise.all(relays.map((relay) => relay.stop()));
      await connection.close();
      await dataSource.destroy();
      await nats.stop();
      await postgres.stop();
    },
  };
}

export type Doors = Awaited<ReturnType<typeof doors>>;

async function makeStream(connection: NatsConnection): Promise<void> {
  const manager = await connection.jetstreamManager();
  await manager.streams.add({ name: STREAM, subjects: ['muster.evt.*.door.>'], retention: RetentionPolicy.Limits });
  await manager.streams.add({ name: 'MUSTER_WORK', subjects: ['muster.work.>'], retention: RetentionPolicy.Workqueue });
}

/** Creates `count` open doors and gives their ids. */
export async function openDoors(journal: Journal, count: number): Promise<string[]> {
  const ids = Array.from({ length: count }, () => uuid());
  await journal.transaction(PROJECT, (tx) => tx.create(doorTable, { id: ids, house: ids.map(() => 'red') }));
  return ids;
}

export interface DoorEvent {
  id: string;
  subject: string;
  data: { id: string; from: string | null; to: string; version: number; project_id: string; house: string };
}

/** Every event that the stream holds, in its order. */
export async function storedEvents(connection: NatsConnection): Promise<DoorEvent[]> {
  const manager = await connection.jetstreamManager();
  const { state } = await manager.streams.info(STREAM);
  const events: DoorEvent[] = [];
  if (state.messages === 0) return events;
  const consumer = await connection.jetstream().consumers.get(STREAM);
  // A fetch may end before it has all, when the bus is slow.
  for (let before = -1; events.length > before && events.length < state.messages;) {
    before = events.length;
    const messages = await consumer.fetch({ max_messages: state.messages - before, expires: 5_000 });
    for await (const message of messages) events.push(message.json<DoorEvent>());
  }
  return events;
}

/** Sets the event stream back to its first `keep` messages, as a bus does that was killed before it wrote the rest. */
export async function loseTail(connection: NatsConnection, keep: number): Promise<void> {
  const manager = await connection.jetstreamManager();
  const { state } = await manager.streams.info(STREAM);
  const kept: StoredMsg[] = [];
  for (let index = 0; index < keep; index++)
    kept.push(await manager.streams.getMessage(STREAM, { seq: state.first_seq + index }));
  await manager.streams.delete(STREAM);
  await makeStream(connection);
  for (const { subject, data } of kept) await connection.jetstream().publish(subject, data);
}

/** Everything is published, and told again as far as it has to be. */
async function published(dataSource: DataSource): Promise<boolean> {
  const [row] = await dataSource.query<{ done: boolean }[]>(
    `SELECT NOT EXISTS (SELECT FROM journal WHERE NOT published) AND after = up_to AS done FROM retelling`,
  );
  return row?.done ?? false;
}

/** The versions of each entity, without repetitions, in the order of their first arrival. */
export function versions(events: readonly DoorEvent[]): Map<string, number[]> {
  const seen = new Map<string, number[]>();
  for (const { data } of events) {
    const known = seen.get(data.id) ?? [];
    if (!known.includes(data.version)) known.push(data.version);
    seen.set(data.id, known);
  }
  return seen;
}
