import Type, { type Static } from 'typebox';
import { defineEntity } from './entity.js';
import { defineRpc } from './rpc.js';
import { JsonObject, ProjectId, Timestamp, Uuid } from './schema.js';
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

/** What the commands of one request share. Asking twice with the same ids changes nothing. */
export const CommandRequest = Type.Object({
  request_id: Uuid,
  command: Type.String({ minLength: 1, maxLength: 128, pattern: '^[A-Za-z0-9_-]+$' }),
  /** Arguments for every device; an item's own `args` are laid over them. */
  args: JsonObject,
  /** Seconds from dispatch to TIMEOUT. */
  in_progress_seconds: Type.Integer({ minimum: 1 }),
  /** Seconds from the request to TIMEOUT `never_contacted`. */
  offline_seconds: Type.Integer({ minimum: 1 }),
  priority: Type.Integer(),
  /** Subject of the work contract that takes the outcomes; empty: nobody asks. */
  reply_to: Type.String(),
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

export type CommandOutcome = (typeof COMMAND_OUTCOMES)[number];
