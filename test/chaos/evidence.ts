import { entities, eventStream, schemaOf, type ServiceName } from '@muster/contracts';
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';
import { AckPolicy, DeliverPolicy, type JsMsg, type NatsConnection } from 'nats';
import type { Tables } from './database.ts';

/** The services that publish events. */
export const PUBLISHERS: readonly ServiceName[] = [...new Set(entities.map((entity) => entity.service))];

const PAGE = 2_000;
const FETCH_MS = 5_000;

/**
 * What the run has left behind, side by side in a schema of the run's own, where statements compare it: so it may be as much as it likes.
 * `event`: transitions, and `notice`: what was told beside them, with the `round`: `live` as the relays published them, `rebuilt` after the
 * streams were deleted. `published`: both.
 */
const TABLES = `
  DROP SCHEMA IF EXISTS chaos CASCADE;
  CREATE SCHEMA chaos;
  CREATE UNLOGGED TABLE chaos.event (round text, service text, event_id text, entity text, id uuid, version int, was text, became text, md5 text);
  CREATE UNLOGGED TABLE chaos.notice (round text, service text, event_id text, entity text, id uuid, name text, number int, md5 text);
  CREATE VIEW chaos.published AS SELECT round, service, event_id, md5 FROM chaos.event
    UNION ALL SELECT round, service, event_id, md5 FROM chaos.notice;
  CREATE UNLOGGED TABLE chaos.execution (device_id uuid, command_id uuid, fence int, at timestamptz);
  CREATE UNLOGGED TABLE chaos.told (device_id uuid, command_id uuid, fence int, status text, at timestamptz);
  CREATE UNLOGGED TABLE chaos.accepted (kind text, id uuid, name text);
  CREATE UNLOGGED TABLE chaos.excuse ("from" timestamptz, "to" timestamptz);`;

const ofRow = (column: string) => `coalesce(m.${column}->>'all', m.${column}->>(i.place - 1)::int)`;

/** SQL: the moves of a journal row as a relation, one transition a line. */
export const transitionsOf = (moves: string) => `
  LATERAL (SELECT m.entity, i.id::uuid, ${ofRow('version')}::int AS version, ${ofRow('"from"')} AS was, m."to" AS became, ${ofRow('at')}::bigint AS at
           FROM json_to_recordset(${moves}) AS m(entity text, "to" text, ids jsonb, "from" jsonb, version jsonb, at jsonb),
                jsonb_array_elements_text(m.ids) WITH ORDINALITY AS i(id, place))`;

/** One transition of the journal a line, one notice a line, and the rows of all entities. */
const VIEWS = `
  CREATE UNLOGGED TABLE chaos.noted AS ${PUBLISHERS.map(
    (service) => `
    SELECT n.entity, n.id, n.name, n.number FROM ${schemaOf(service)}.journal j,
      json_to_recordset(j.notices) AS n(entity text, id uuid, name text, number int)`,
  ).join(' UNION ALL ')};
  CREATE UNLOGGED TABLE chaos.transition AS ${PUBLISHERS.map(
    (service) => `
    SELECT '${service}' AS service, j.seq, t.* FROM ${schemaOf(service)}.journal j, ${transitionsOf('j.transitions')} t`,
  ).join(' UNION ALL ')};
  CREATE INDEX ON chaos.transition (entity, id, version);
  CREATE VIEW chaos.row AS ${entities
    .map(
      ({ name, service }) =>
        `SELECT '${name}' AS entity, id, state, version FROM ${schemaOf(service)}.${name.replaceAll('-', '_')}`,
    )
    .join(' UNION ALL ')};
  ANALYZE chaos.transition;`;

export async function makeTables(database: Tables): Promise<void> {
  await database.query(TABLES);
}

/** Takes the journals as they are now. */
export async function readJournals(database: Tables): Promise<void> {
  await database.query(VIEWS);
}

/** Appends rows to a table of the run. */
export async function insert(database: Tables, table: string, rows: readonly object[]): Promise<void> {
  for (let at = 0; at < rows.length; at += PAGE) {
    await database.query(
      `INSERT INTO chaos.${table} SELECT * FROM jsonb_populate_recordset(NULL::chaos.${table}, $1)`,
      [JSON.stringify(rows.slice(at, at + PAGE))],
    );
  }
}

/** Takes in the NDJSON lines of a fleet's log. */
export async function readLog(database: Tables, file: string, table: 'execution' | 'told'): Promise<void> {
  let page: object[] = [];
  for await (const line of createInterface({ input: createReadStream(file) })) {
    page.push(JSON.parse(line) as object);
    if (page.length < PAGE) continue;
    await insert(database, table, page);
    page = [];
  }
  await insert(database, table, page);
}

interface BusEvent {
  id: string;
  data: { id: string } & ({ from: string | null; to: string; version: number } | { number: number });
}

/** Takes a message apart for the table that it belongs to. */
function evidenceOf(message: JsMsg): ['event' | 'notice', object] {
  const { id: event_id, data } = message.json<BusEvent>();
  const [, , , entity, name] = message.subject.split('.');
  const common = { event_id, entity, id: data.id, md5: createHash('md5').update(message.data).digest('hex') };
  if (!('version' in data)) return ['notice', { ...common, name, number: data.number }];
  const { version, from: was, to: became } = data;
  return ['event', { ...common, version, was, became }];
}

/** Takes in every event that the streams hold, page by page, as another system would read them. */
export async function readEvents(database: Tables, connection: NatsConnection, round: string): Promise<void> {
  for (const service of PUBLISHERS) {
    const stream = eventStream(service);
    const manager = await connection.jetstreamManager();
    const { name, num_pending } = await manager.consumers.add(stream, {
      ack_policy: AckPolicy.None,
      deliver_policy: DeliverPolicy.All,
      mem_storage: true,
      inactive_threshold: 60e9,
    });
    const consumer = await connection.jetstream().consumers.get(stream, name);
    for (let left = num_pending; left > 0;) {
      const pages = { event: [] as object[], notice: [] as object[] };
      for await (const message of await consumer.fetch({ max_messages: Math.min(left, PAGE), expires: FETCH_MS })) {
        const [table, evidence] = evidenceOf(message);
        pages[table].push({ round, service, ...evidence });
      }
      const count = pages.event.length + pages.notice.length;
      if (count === 0) throw new Error(`${stream} gives no more messages, ${left} are missing`);
      left -= count;
      await insert(database, 'event', pages.event);
      await insert(database, 'notice', pages.notice);
    }
    await manager.consumers.delete(stream, name);
  }
  await database.query(
    'CREATE INDEX IF NOT EXISTS chaos_event ON chaos.event (round, entity, id, version); ANALYZE chaos.event',
  );
}
