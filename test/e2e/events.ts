import type { NatsConnection } from 'nats';

export interface BusEvent {
  specversion: string;
  id: string;
  source: string;
  type: string;
  subject: string;
  time: string;
  dataschema: string;
  traceparent?: string;
  data: { project_id: string; id: string; from: string | null; to: string; version: number; reason: string } & Record<
    string,
    unknown
  >;
}

/** Reads everything that a filter of `muster.evt` has kept, as another system would. */
export async function readEvents(connection: NatsConnection, filter: string): Promise<BusEvent[]> {
  const manager = await connection.jetstreamManager();
  const stream = await manager.streams.find(filter.replace(/^muster\.evt\.\*/, 'muster.evt.demo'));
  const consumer = await connection.jetstream().consumers.get(stream, { filterSubjects: filter });
  const { num_pending } = await consumer.info();
  const events: BusEvent[] = [];
  if (num_pending === 0) return events;
  for await (const message of await consumer.fetch({ max_messages: num_pending, expires: 10_000 }))
    events.push(message.json<BusEvent>());
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
