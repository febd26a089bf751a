import Type, { type Static } from 'typebox';
import { defineEntity } from './entity.js';
import { defineRpc } from './rpc.js';
import { JsonObject, ProjectId, Timestamp, Uuid } from './schema.js';
import { WindowSchedule } from './schedule.js';
import { defineWork } from './work.js';

export const commandEntity = defineEntity(
  'command',
  'command-dispatcher',
  ['QUEUED', 'SCHEDULED', 'INITIATED', 'ACKNOWLEDGED', 'INPROGRESS', 'SUCCESS', 'FAILURE', 'TIMEOUT', 'CANCELLED'],
  { request_id: Uuid, device_id: Uuid },
);

export type CommandState = (typeof commandEntity.states)[number];

/** How a command may end. */
export const COMMAND_OUTCOMES = ['SUCCESS', 'FAILURE', 'TIMEOUT', 'CANCELLED'] as const;

/** The name of a command, and of the handler that runs it. */
export const CommandName = Type.String({ minLength: 1, maxLength: 128, pattern: '^[A-Za-z0-9_-]+$' });

/**
 * A class of errors after which a command is tried again (rollout.md, `retry`): at most `max` more times, `backoff_seconds` · `factor`^n apart,
 * each pause longer or shorter by up to `jitter` of it. The first rule that fits decides.
 */
export const RetryRule = Type.Object(
  {
    outcome: Type.Enum(['failed', 'timed_out', 'any']),
    code: Type.Optional(Type.String({ maxLength: 128, description: 'only failures with this code' })),
    max: Type.Integer({ minimum: 1, maximum: 100 }),
    backoff_seconds: Type.Optional(Type.Number({ minimum: 0, maximum: 86_400, default: 10 })),
    factor: Type.Optional(Type.Number({ minimum: 1, maximum: 10, default: 2 })),
    jitter: Type.Optional(Type.Number({ minimum: 0, maximum: 1, default: 0 })),
  },
  { additionalProperties: false },
);

export type RetryRule = Static<typeof RetryRule>;

/** What the commands of one request share. Asking twice with the same ids changes nothing. */
export const CommandRequest = Type.Object({
  request_id: Uuid,
  command: CommandName,
  /** Arguments for every device; an item's own `args` are laid over them. */
  args: JsonObject,
  /** Seconds from dispatch to TIMEOUT. */
  in_progress_seconds: Type.Integer({ minimum: 1 }),
  /** Seconds from the request to TIMEOUT `never_contacted`. */
  offline_seconds: Type.Integer({ minimum: 1 }),
  priority: Type.Integer(),
  /** Subject of the work contract that takes the outcomes; empty: nobody asks. */
  reply_to: Type.String(),
  /** Subject of the work contract that is told when a command is sent and when its device takes it; absent: nobody. */
  steps_to: Type.Optional(Type.String()),
  /** Absent: at once. */
  schedule: Type.Optional(WindowSchedule),
  /** TIMEOUT `never_contacted` at this time, if that is earlier than `offline_seconds` says. */
  expires_at: Type.Optional(Timestamp),
  /** Sent although the device works on another command. */
  concurrent: Type.Optional(Type.Boolean()),
  retry: Type.Optional(Type.Array(RetryRule, { maxItems: 16 })),
  /** The owner of the device locks under which these commands go; they pass a lock of this owner, and wait for one of another. */
  lock_owner: Type.Optional(Uuid),
});

export type CommandRequest = Static<typeof CommandRequest>;

/** One command as a document. */
export const Command = Type.Object({
  id: Uuid,
  project_id: ProjectId,
  request_id: Uuid,
  device_id: Uuid,
  command: Type.String(),
  args: JsonObject,
  state: Type.Enum([...commandEntity.states]),
  attempt: Type.Integer(),
  fence: Type.Integer(),
  progress: Type.Union([Type.Number(), Type.Null()]),
  reason: Type.String(),
  code: Type.String(),
  evidence: Type.Union([JsonObject, Type.Null()]),
  activity: Type.Array(Type.Object({ state: Type.String(), at: Timestamp })),
  created_at: Timestamp,
  due_at: Type.Union([Timestamp, Type.Null()]),
});

export type Command = Static<typeof Command>;

export const commandDispatcher = {
  getCommand: defineRpc('command-dispatcher', 'getCommand', Type.Object({ project_id: ProjectId, id: Uuid }), Command),
  /** Creates commands for up to 500 devices; refused as a whole when one of the devices does not exist. */
  createCommands: defineRpc(
    'command-dispatcher',
    'createCommands',
    Type.Object({
      project_id: ProjectId,
      request: CommandRequest,
      items: Type.Array(Type.Object({ command_id: Uuid, device_id: Uuid }), { minItems: 1, maxItems: 500 }),
    }),
    Type.Object({ accepted: Type.Integer() }),
  ),
} as const;

/** Work for command-dispatcher. */
export const commandWork = {
  /** Send these commands. Asking again for an ended one sends its outcome again, so a lost batch heals by repetition. */
  request: defineWork('command-dispatcher', 'request', CommandRequest.properties, {
    command_id: Uuid,
    device_id: Uuid,
    /** The asker's own id, given back with the outcome. */
    ref: Uuid,
    args: JsonObject,
    /** The device's own zone, where the schedule is read on its clock. */
    timezone: Type.Optional(Type.String()),
  }),
  /**
   * Stop these commands. One that has ended tells its outcome again; one that is not known is CANCELLED, and stays so when its request comes later.
   */
  cancel: defineWork(
    'command-dispatcher',
    'cancel',
    { request_id: Uuid, reason: Type.String(), reply_to: Type.String() },
    { command_id: Uuid, ref: Uuid },
  ),
  /** Presence as device-state knows it, and every hello. An older `version` than the one known changes nothing. */
  presence: defineWork(
    'command-dispatcher',
    'presence',
    {},
    { device_id: Uuid, online: Type.Boolean(), version: Type.Integer() },
  ),
} as const;

/** What a command came to, as every asker's outcome work carries it. */
export const OutcomeHead = { request_id: Uuid };
export const OutcomeItem = {
  command_id: Uuid,
  ref: Uuid,
  status: Type.Enum([...COMMAND_OUTCOMES]),
  reason: Type.String(),
  code: Type.String(),
};

/** A step of a command before its end, as whoever asked to be told of steps hears it; may come late, twice, or after the outcome. */
export const StepHead = { request_id: Uuid };
export const StepItem = {
  command_id: Uuid,
  ref: Uuid,
  step: Type.Enum(['INITIATED', 'ACKNOWLEDGED', 'INPROGRESS']),
};

export type CommandOutcome = (typeof COMMAND_OUTCOMES)[number];
