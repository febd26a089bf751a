import Type, { type Static } from 'typebox';
import { COMMAND_STATES, CommandName, RetryRule } from './command.js';
import { DeviceQuery } from './device-state.js';
import { JsonObject, ProjectId, Timestamp, Uuid } from './schema.js';
import { ScheduleArgs, SCHEDULES } from './schedule.js';

/** How a request names its devices: by their ids, by groups, or by a query (interfaces §3). */
export const COMMAND_TYPES = ['DEVICE', 'GROUP', 'DYNAMIC'] as const;
/** Which of the named devices it is for: all, or those that are online, or those that are not, when the request is resolved. */
export const DEVICE_TYPES = ['all', 'active', 'inactive'] as const;
/**
 * Of a request: its commands are still being made; they are; all have ended and none follows; it was cancelled, by a
 * user or because its devices could no longer be found. */
export const REQUEST_STATUSES = ['pending', 'running', 'complete', 'cancelled'] as const;

/** Most devices that a request may list; more are named by groups or a query. */
export const MAX_LISTED_DEVICES = 10_000;
/** Most devices of a request that its document shows. */
export const SHOWN_DEVICES = 1_000;

const retry = Type.Array(RetryRule, { maxItems: 16 });

/** What a user asks of devices (interfaces §3). */
export const NewCommandRequest = Type.Object(
  {
    command: CommandName,
    command_type: Type.Optional(Type.Enum([...COMMAND_TYPES], { default: 'DEVICE' })),
    device_type: Type.Optional(Type.Enum([...DEVICE_TYPES], { default: 'all' })),
    devices: Type.Optional(Type.Array(Uuid, { minItems: 1, maxItems: MAX_LISTED_DEVICES })),
    groups: Type.Optional(Type.Array(Uuid, { minItems: 1, maxItems: 32 })),
    query: Type.Optional(DeviceQuery),
    schedule: Type.Optional(Type.Enum([...SCHEDULES], { default: 'IMMEDIATE' })),
    schedule_args: Type.Optional(ScheduleArgs),
    args: Type.Optional(JsonObject),
    priority: Type.Optional(Type.Integer({ minimum: -1000, maximum: 1000, default: 0 })),
    expires_at: Type.Optional(Timestamp),
    concurrent: Type.Optional(Type.Boolean({ default: false })),
    retry: Type.Optional(retry),
  },
  { additionalProperties: false },
);

export type NewCommandRequest = Static<typeof NewCommandRequest>;

/** A user's request as a document. `devices` shows the first of them; `request_status_reason` says why it was cancelled. */
export const CommandRequestDocument = Type.Object({
  id: Uuid,
  project_id: ProjectId,
  command: Type.String(),
  command_type: Type.Enum([...COMMAND_TYPES]),
  device_type: Type.Enum([...DEVICE_TYPES]),
  devices: Type.Array(Uuid),
  devices_truncated: Type.Boolean(),
  groups: Type.Array(Uuid),
  query: Type.Union([DeviceQuery, Type.Null()]),
  schedule: Type.Enum([...SCHEDULES]),
  schedule_args: ScheduleArgs,
  args: JsonObject,
  priority: Type.Integer(),
  expires_at: Type.Union([Timestamp, Type.Null()]),
  concurrent: Type.Boolean(),
  retry,
  request_status: Type.Enum([...REQUEST_STATUSES]),
  request_status_reason: Type.String(),
  created_by: Uuid,
  created_at: Timestamp,
  updated_at: Timestamp,
});

export type CommandRequestDocument = Static<typeof CommandRequestDocument>;

/** How many commands of a request are in each state; exact at every moment. */
export const CommandStats = Type.Object({
  total: Type.Integer(),
  ...(Object.fromEntries(COMMAND_STATES.map((state) => [state, Type.Integer()])) as Record<
    (typeof COMMAND_STATES)[number],
    ReturnType<typeof Type.Integer>
  >),
});

export type CommandStats = Static<typeof CommandStats>;
