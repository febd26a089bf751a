import Type, { type Static } from 'typebox';
import { defineRpc } from './rpc.js';
import { JsonObject, ProjectId, Timestamp, Uuid } from './schema.js';
import { SERVICES, type ServiceName } from './services.js';

/** A message that could not be handled, as the service that keeps it tells of it. Ids rise with the time of parking, over all services. */
export const DeadLetter = Type.Object({
  id: Uuid,
  service: Type.Enum([...SERVICES], { description: 'who keeps it' }),
  project_id: Type.Union([ProjectId, Type.Null()], { description: 'null when the message does not tell' }),
  subject: Type.String(),
  headers: JsonObject,
  reason: Type.String(),
  deliveries: Type.Integer({ minimum: 0, description: 'how often it was tried; 0 when it was never sent' }),
  parked_at: Timestamp,
  payload: Type.Unknown({ description: 'JSON as it is, anything else as base64' }),
  payload_encoding: Type.Enum(['json', 'base64']),
  payload_bytes: Type.Integer({ description: 'of the whole payload' }),
  payload_truncated: Type.Boolean({ description: 'whether `payload` holds only the first bytes, as base64' }),
});

export type DeadLetter = Static<typeof DeadLetter>;

/** Whose letters: those of one project, or without it all of the installation. */
const scope = { project_id: Type.Optional(ProjectId) };
const one = Type.Object({ ...scope, id: Uuid });

/** The questions that a service answers of its dead letters. */
export const defineDeadLetters = (service: ServiceName) => ({
  /** In the order of ids. A page may hold fewer than `limit` and yet have a `next`, as its bytes are limited too. */
  list: defineRpc(
    service,
    'listDeadLetters',
    Type.Object({
      ...scope,
      /** A subject, or the beginning of one with `>` at its end. */
      subject: Type.Optional(Type.String()),
      parked_before: Type.Optional(Timestamp),
      after: Type.Optional(Uuid),
      limit: Type.Integer({ minimum: 1, maximum: 1000 }),
    }),
    Type.Object({ letters: Type.Array(DeadLetter), next: Type.Union([Uuid, Type.Null()]) }),
  ),
  get: defineRpc(service, 'getDeadLetter', one, DeadLetter),
  /** Publishes it again and forgets it. Refused as `too_large` or `unavailable` when the bus does not take it, and then it stays. */
  replay: defineRpc(service, 'replayDeadLetter', one, Type.Object({})),
  /** Gives it up. */
  discard: defineRpc(service, 'discardDeadLetter', one, Type.Object({})),
});

export type DeadLetterRpcs = ReturnType<typeof defineDeadLetters>;
