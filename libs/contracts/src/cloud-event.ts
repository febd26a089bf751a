import Type, { type TProperties } from 'typebox';
import { ProjectId, Timestamp, Uuid } from './schema.js';
import type { ServiceName } from './services.js';

/** What an event says beside what all of them say. `at`: epoch milliseconds. */
export interface Said {
  id: string;
  type: string;
  subject: string;
  at: number;
  dataschema: string;
  traceparent: string | undefined;
  data: object;
}

/** A CloudEvents 1.0 event in structured JSON (interfaces §7). */
export const cloudEvent = (service: string, { id, type, subject, at, dataschema, traceparent, data }: Said): string =>
  JSON.stringify({
    specversion: '1.0',
    id,
    source: `/muster/${service}`,
    type,
    subject,
    time: new Date(at).toISOString(),
    datacontenttype: 'application/json',
    dataschema,
    traceparent,
    data,
  });

const DATA_SCHEMA_BASE = 'urn:muster:schema:';

/** The `$id` of the JSON Schema of the data of events, by what these are about. */
export const eventDataSchemaId = (about: string) => `${DATA_SCHEMA_BASE}${about}`;

/** The events of an entity, as their schema says it. */
export interface EventKind {
  service: ServiceName;
  /** What they are about, as in the `$id` of the schema of their data. */
  about: string;
  /** How their ids are made. */
  id: string;
  types: string[];
  /** What `data` carries beside `project_id, id`. */
  data: TProperties;
}

/** JSON Schema of whole events. */
export const cloudEventSchemaOf = ({ service, about, id, types, data }: EventKind) =>
  Type.Object({
    specversion: Type.Literal('1.0'),
    id: Type.String({ description: `${id}: unique, and the same when delivered again` }),
    source: Type.Literal(`/muster/${service}`),
    type: Type.Enum(types),
    subject: Uuid,
    time: Timestamp,
    datacontenttype: Type.Literal('application/json'),
    dataschema: Type.Literal(eventDataSchemaId(about)),
    traceparent: Type.Optional(Type.String({ pattern: '^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$' })),
    data: Type.Object({ project_id: ProjectId, id: Uuid, ...data }, { $id: eventDataSchemaId(about) }),
  });
