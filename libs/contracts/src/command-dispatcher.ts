import Type, { type Static } from 'typebox';
import { Command, COMMAND_OUTCOMES, COMMAND_STATES, CommandName, RetryRule } from './command.js';
import { CommandRequestDocument, CommandStats, NewCommandRequest } from './command-request.js';
import { defineRpc } from './rpc.js';
import { JsonObject, ProjectId, Timestamp, Uuid } from './schema.js';
import { WindowSchedule } from './schedule.js';
import { defineWork } from './work.js';

/** For so long at most a command waits for its device: 68 years. */
export const MOST_OFFLINE_SECONDS = 2 ** 31 - 1;

/** What the commands of one request share. Asking twice with the same ids changes nothing. */
export const CommandRequest = Type.Object({
  request_id: Uuid,
  command: CommandName,
  /** Arguments for every device; an item's own `args` are laid over them. */
  args: JsonObject,
  /** Seconds from dispatch to TIMEOUT. */
  in_progress_seconds: Type.Integer({ minimum: 1 }),
  /** Seconds from the request to TIMEOUT `never_contacted`. */
  offline_seconds: Type.Integer({ minimum: 1, maximum: MOST_OFFLINE_SECONDS }),
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
  /** Dotted path in the evidence of a SUCCESS, whose value its outcome carries as `proof`; a number leads into an array. */
  proof_path: Type.Optional(Type.String({ minLength: 1, maxLength: 256 })),
  /**
   * A command is *held* if its device is offline when it is asked for, or goes offline before it was sent: it takes nobody's place, and is not
   * sent until it is asked for again while the device is online. Subject of the work contract that hears of it; absent: nothing is held.
   */
  holds_to: Type.Optional(Type.String()),
});

export type CommandRequest = Static<typeof CommandRequest>;

/** A lock of a device, as everybody sees it. Every command that is sent after it was taken has a greater fence. */
export const DeviceLock = Type.Object({
  device_id: Uuid,
  owner: Uuid,
  fence: Type.Integer(),
  reason: Type.String(),
  expires_at: Timestamp,
});

/** What became of one device of a lock request: locked for the asker, or held by somebody else. */
export const LockAnswer = Type.Object({
  device_id: Uuid,
  locked: Type.Boolean(),
  owner: Uuid,
  fence: Type.Integer(),
  reason: Type.String(),
  expires_at: Timestamp,
});

export type DeviceLock = Static<typeof DeviceLock>;
export type LockAnswer = Static<typeof LockAnswer>;

/** How far beyond a page a list of commands or of requests is counted. */
export const COUNTED = 10_000;

const pageLimit = Type.Integer({ minimum: 1, maximum: 1000 });
const offsetPage = { limit: pageLimit, offset: Type.Integer({ minimum: 0, maximum: 1_000_000_000 }) };
const lockedDevices = Type.Array(Uuid, { minItems: 1, maxItems: 500 });

export const commandDispatcher = {
  getCommand: defineRpc('command-dispatcher', 'getCommand', Type.Object({ project_id: ProjectId, id: Uuid }), Command),
  /** Commands, the latest first. `request`: of these requests of users. `count` stops {@link COUNTED} beyond the page, which is shorter where one answer carries no more. */
  listCommands: defineRpc(
    'command-dispatcher',
    'listCommands',
    Type.Object({
      project_id: ProjectId,
      request: Type.Optional(Type.Array(Uuid, { maxItems: 100 })),
      device: Type.Optional(Type.Array(Uuid, { maxItems: 100 })),
      state: Type.Optional(Type.Array(Type.Enum([...COMMAND_STATES]), { maxItems: COMMAND_STATES.length })),
      ...offsetPage,
    }),
    Type.Object({ count: Type.Integer(), commands: Type.Array(Command) }),
  ),
  /** Of one that has ended nothing changes. */
  cancelCommand: defineRpc(
    'command-dispatcher',
    'cancelCommand',
    Type.Object({ project_id: ProjectId, id: Uuid, reason: Type.String({ maxLength: 2048 }) }),
    Command,
  ),
  /**
   * A user's request. Asking again with the same id and body gives what there is. `timezone`: the caller's, in which `time_type: console` is
   * read. Refused naming the field: devices or groups that do not exist, a schedule that never opens.
   */
  createCommandRequest: defineRpc(
    'command-dispatcher',
    'createCommandRequest',
    Type.Object({
      project_id: ProjectId,
      id: Uuid,
      request: NewCommandRequest,
      created_by: Uuid,
      timezone: Type.String(),
    }),
    CommandRequestDocument,
  ),
  getCommandRequest: defineRpc(
    'command-dispatcher',
    'getCommandRequest',
    Type.Object({ project_id: ProjectId, id: Uuid }),
    CommandRequestDocument,
  ),
  /** Requests of users, the latest first, each with a few of its devices; a page is shorter where one answer carries no more. */
  listCommandRequests: defineRpc(
    'command-dispatcher',
    'listCommandRequests',
    Type.Object({ project_id: ProjectId, ...offsetPage }),
    Type.Object({ count: Type.Integer(), requests: Type.Array(CommandRequestDocument) }),
  ),
  /** Makes no further commands of it and cancels those that have not ended; goes on after the answer. Of one that is complete nothing changes. */
  cancelCommandRequest: defineRpc(
    'command-dispatcher',
    'cancelCommandRequest',
    Type.Object({ project_id: ProjectId, id: Uuid, reason: Type.String({ maxLength: 2048 }) }),
    CommandRequestDocument,
  ),
  commandStats: defineRpc(
    'command-dispatcher',
    'commandStats',
    Type.Object({ project_id: ProjectId, id: Uuid }),
    CommandStats,
  ),
  /**
   * Locks devices for an owner: until it unlocks them or the time is over, only commands whose request names this `lock_owner` go to them. Each
   * device has its own answer; its own owner lengthens the lock. A device that does not exist is left out.
   */
  lockDevices: defineRpc(
    'command-dispatcher',
    'lockDevices',
    Type.Object({
      project_id: ProjectId,
      owner: Uuid,
      reason: Type.String({ maxLength: 2048 }),
      expires_in_seconds: Type.Integer({ minimum: 1, maximum: 2_592_000 }),
      device_ids: lockedDevices,
    }),
    Type.Object({ devices: Type.Array(LockAnswer) }),
  ),
  /** Frees those of the devices that `owner` holds; those of its commands that still wait there fail with `lock_lost`. */
  unlockDevices: defineRpc(
    'command-dispatcher',
    'unlockDevices',
    Type.Object({ project_id: ProjectId, owner: Uuid, device_ids: lockedDevices }),
    Type.Object({ unlocked: Type.Array(Uuid) }),
  ),
  getLocks: defineRpc(
    'command-dispatcher',
    'getLocks',
    Type.Object({ project_id: ProjectId, device_ids: lockedDevices }),
    Type.Object({ locks: Type.Array(DeviceLock) }),
  ),
} as const;

/** Work for command-dispatcher. */
export const commandWork = {
  /**
   * Send these commands. Asking again for an ended one sends its outcome again, so a lost batch heals by repetition. Asking again for a held one
   * lets it take its turn if its device is online, and tells HELD again if not; so it does where its `turn` is no higher than before, and REACHABLE
   * after it.
   */
  request: defineWork('command-dispatcher', 'request', CommandRequest.properties, {
    command_id: Uuid,
    device_id: Uuid,
    /** The asker's own id, given back with the outcome. */
    ref: Uuid,
    args: JsonObject,
    /** The device's own zone, where the schedule is read on its clock. */
    timezone: Type.Optional(Type.String()),
    /** How often the asker let this command go. A held one goes on only with a higher one than before: what the bus delivers twice lets nothing go. */
    turn: Type.Optional(Type.Integer({ minimum: 0 })),
    /** TIMEOUT `never_contacted` of this command at this time, if that is earlier than the request says. */
    expires_at: Type.Optional(Timestamp),
  }),
  /**
   * Stop these commands. One that has ended tells its outcome again; one that is not known is CANCELLED, and stays so when its request comes later.
   * `waiting_only`: leave those alone that their device was sent at least once, and say nothing of them before they end.
   */
  cancel: defineWork(
    'command-dispatcher',
    'cancel',
    {
      request_id: Uuid,
      reason: Type.String(),
      reply_to: Type.String(),
      waiting_only: Type.Optional(Type.Boolean()),
    },
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
  /** Whether it was sent to its device, however often. */
  sent: Type.Boolean(),
  /** Of a SUCCESS, what its evidence has at the request's `proof_path`; absent: nothing, or nobody asked. */
  proof: Type.Optional(Type.Unknown()),
};

/**
 * A step of a command before its end, as whoever asked to be told of steps hears it; may come late, twice, in another order, or after the outcome.
 * Of requests with `holds_to` alone: `HELD`, the device is offline and the command held; `REACHABLE`, the device of a held one is back.
 */
export const StepHead = { request_id: Uuid };
export const StepItem = {
  command_id: Uuid,
  ref: Uuid,
  step: Type.Enum(['QUEUED', 'INITIATED', 'ACKNOWLEDGED', 'INPROGRESS', 'HELD', 'REACHABLE']),
  /** Of HELD and REACHABLE, the `turn` under which the command is held: said of an earlier one, it is no longer so. */
  turn: Type.Optional(Type.Integer({ minimum: 0 })),
};
