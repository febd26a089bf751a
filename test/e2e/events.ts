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

const isTransition = (event: BusEvent | BusNotice): event is BusEvent => 'version' in event.data;

/** Reads every transition that a filter of `muster.evt` has kept, as another system would. */
export const readEvents = async (connection: NatsConnection, filter: string): Promise<BusEvent[]> =>
  (await readAll(connection, filter)).filter(isTransition);

/** Reads every notice that a filter of `muster.evt` has kept, each once, in the order of its number. */
export async function readNotices(connection: NatsConnection, filter: string): Promise<BusNotice[]> {
  const notices = (await readAll(connection, filter)).filter((event): event is BusNotice => !isTransition(event));
  return [...new Map(notices.map((event) => [event.id, event])).values()].sort((a, b) => a.data.number - b.data.number);
}

async function readAll(connection: NatsConnection, filter: string): Promise<(BusEvent | BusNotice)[]> {
  const manager = await connection.jetstreamManager();
  const stream = await manager.streams.find(filter.replace(/^muster\.evt\.\*/, 'muster.evt.demo'));
  const consumer = await connection.jetstream().consumers.get(stream, { filterSubjects: filter });
  const { num_pending } = await consumer.info();
  const events: (BusEvent | BusNotice)[] = [];
  if (num_pending === 0) return events;
  for await (const message of await consumer.fetch({ max_messages: num_pending, expires: 10_000 }))
    events.push(message.json<BusEvent | BusNotice>());
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
