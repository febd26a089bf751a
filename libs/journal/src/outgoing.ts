import { noticeId, noticeSubject, noticeToCloudEvent, type Notice, type ServiceName } from '@muster/contracts';
import type { NatsConnection } from 'nats';
import type { DeadLetter } from './dead-letters.js';
import { eventsOfMove, type OutgoingEvent } from './move.events.js';
import { eventIdsOf, type Move } from './move.js';
import type { JournalWork } from './tx.js';

/** A row of the journal, as the relay reads it. */
export interface JournalRow {
  seq: string;
  day: string;
  project_id: string;
  transitions: Move[];
  /** Null where nothing was told beside the transitions. */
  notices: Notice[] | null;
  work: JournalWork[];
  traceparent: string | null;
}

/** A work message on its way; `id` is its `Nats-Msg-Id`. */
export interface OutgoingWork extends OutgoingEvent {
  traceparent: string | undefined;
}

type Events = Pick<JournalRow, 'transitions' | 'notices'>;

/** The events of one journal row, in its order: notices first. */
export const eventsOf = (service: ServiceName, row: Events & Pick<JournalRow, 'project_id'>): OutgoingEvent[] => [
  ...(row.notices ?? []).map((notice) => eventOfNotice(service, row.project_id, notice)),
  ...row.transitions.flatMap((move) => eventsOfMove(service, row.project_id, move)),
];

const eventOfNotice = (service: ServiceName, project: string, notice: Notice): OutgoingEvent => ({
  subject: noticeSubject(project, notice),
  id: noticeId(notice),
  body: Buffer.from(noticeToCloudEvent(service, project, notice)),
});

/** The ids of these events. */
export const eventIdsIn = ({ transitions, notices }: Events): string[] => [
  ...(notices ?? []).map(noticeId),
  ...transitions.flatMap(eventIdsOf),
];

/** The work messages of one journal row. */
export function workOf(schema: string, row: JournalRow): OutgoingWork[] {
  return row.work.map((message, index) => ({
    subject: message.subject,
    id: `${schema}.${row.seq}.${index}`,
    body: Buffer.from(message.body),
    traceparent: message.traceparent ?? row.traceparent ?? undefined,
  }));
}

/** What the headers of a message take at most: an id and a trace. */
const HEADER_BYTES = 1024;

/** Whether the bus carries the message; it counts headers and body together. */
export function fits(connection: NatsConnection, message: OutgoingEvent): boolean {
  return message.body.length + HEADER_BYTES <= (connection.info?.max_payload ?? Infinity);
}

/** What is kept of a message that does not fit. */
export function tooLarge(message: OutgoingEvent | OutgoingWork): DeadLetter {
  const traceparent = 'traceparent' in message ? message.traceparent : undefined;
  return {
    subject: message.subject,
    headers: { 'Nats-Msg-Id': message.id, ...(traceparent ? { traceparent } : {}) },
    payload: message.body,
    reason: `larger than the bus carries: ${message.body.length} bytes`,
    deliveries: 0,
  };
}
