import type { NatsConnection } from 'nats';

interface CloudEvent<Data> {
  specversion: string;
  id: string;
  source: string;
  type: string;
  subject: string;
  time: string;
  dataschema: string;
  traceparent?: string;
  data: { project_id: string; id: string } & Data & Record<string, unknown>;
}

/** The event of a transition. */
export type BusEvent = CloudEvent<{ from: string | null; to: string; version: number; reason: string }>;
/** The event of a notice. */
export type BusNotice = CloudEvent<{ number: number }>;

/** The event of a transition, and its place in the stream of its service, which is the order of the commits. */
export interface PlacedEvent {
  place: number;
  event: BusEvent;
}

interface Placed {
  place: number;
  event: BusEvent | BusNotice;
}

const isTransition = (placed: Placed): placed is PlacedEvent => 'version' in placed.event.data;

/** Reads every transition that a filter of `muster.evt` has kept, as another system would. */
export const readEvents = async (connection: NatsConnection, filter: string): Promise<BusEvent[]> =>
  (await readPlaced(connection, filter)).map(({ event }) => event);

/** {@link readEvents}, each with its place. */
export const readPlaced = async (connection: NatsConnection, filter: string): Promise<PlacedEvent[]> =>
  (await readAll(connection, filter)).filter(isTransition);

/** Reads every notice that a filter of `muster.evt` has kept, each once, in the order of its number. */
export async function readNotices(connection: NatsConnection, filter: string): Promise<BusNotice[]> {
  const notices = (await readAll(connection, filter)).filter((placed) => !isTransition(placed));
  const events = notices.map(({ event }) => event as BusNotice);
  return [...new Map(events.map((event) => [event.id, event])).values()].sort((a, b) => a.data.number - b.data.number);
}

async function readAll(connection: NatsConnection, filter: string): Promise<Placed[]> {
  const manager = await connection.jetstreamManager();
  const stream = await manager.streams.find(filter.replace(/^muster\.evt\.\*/, 'muster.evt.demo'));
  const consumer = await connection.jetstream().consumers.get(stream, { filterSubjects: filter });
  const { num_pending } = await consumer.info();
  const events: Placed[] = [];
  if (num_pending === 0) return events;
  for await (const message of await consumer.fetch({ max_messages: num_pending, expires: 10_000 }))
    events.push({ place: message.seq, event: message.json<BusEvent | BusNotice>() });
  return events;
}

/** The events of each entity by version; a repetition of the same event counts once. */
export function byEntity(events: readonly BusEvent[]): Map<string, BusEvent[]> {
  const entities = new Map<string, Map<number, BusEvent>>();
  for (const event of events) {
    const known = entities.get(event.data.id) ?? new Map<number, BusEvent>();
    known.set(event.data.version, event);
    entities.set(event.data.id, known);
  }
  return new Map(
    [...entities].map(([id, known]) => [id, [...known.values()].sort((a, b) => a.data.version - b.data.version)]),
  );
}

/** Entities whose versions are not 1, 2, 3, …, or whose events do not follow from each other. */
export function gaps(events: readonly BusEvent[]): string[] {
  return [...byEntity(events)]
    .filter(([, own]) =>
      own.some(
        (event, index) => event.data.version !== index + 1 || event.data.from !== (own[index - 1]?.data.to ?? null),
      ),
    )
    .map(([id]) => id);
}
