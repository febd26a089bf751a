import Type, { type Static } from 'typebox';
import { defineEntity } from './entity.js';
import { JsonObject, ProjectId, Timestamp, Uuid } from './schema.js';

export const COMMAND_STATES = [
  'QUEUED',
  'SCHEDULED',
  'INITIATED',
  'ACKNOWLEDGED',
  'INPROGRESS',
  'SUCCESS',
  'FAILURE',
  'TIMEOUT',
  'CANCELLED',
] as const;

export const commandEntity = defineEntity('command', 'command-dispatcher', COMMAND_STATES, {
  request_id: Uuid,
  device_id: Uuid,
});

export type CommandState = (typeof COMMAND_STATES)[number];

/** How a command may end. */
export const COMMAND_OUTCOMES = ['SUCCESS', 'FAILURE', 'TIMEOUT', 'CANCELLED'] as const;

export type CommandOutcome = (typeof COMMAND_OUTCOMES)[number];

/**
 * What a command waits for: its window, its next attempt, its device to come online, the release of a device lock, the command that its device
 * works on, a place among the concurrent ones, the device's answer.
 */
export const COMMAND_WAITS = ['window', 'retry_at', 'offline', 'lock', 'in_flight', 'slot', 'answer'] as const;

export type CommandWait = (typeof COMMAND_WAITS)[number];

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

/** The end that a device told of a command after its TIMEOUT or its cancel. */
export const LateAnswer = Type.Object({
  status: Type.Enum(['success', 'failure']),
  reason: Type.String(),
  code: Type.String(),
  evidence: Type.Union([JsonObject, Type.Null()]),
  at: Timestamp,
});

/** What became of an attempt that was not the last one. */
export const FailedAttempt = Type.Object({
  attempt: Type.Integer(),
  state: Type.Enum(['FAILURE', 'TIMEOUT']),
  reason: Type.String(),
  code: Type.String(),
  at: Timestamp,
});

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
  /** What the device said after the command had ended without it; it changed nothing. */
  late_answer: Type.Union([LateAnswer, Type.Null()]),
  /** The attempts that failed and were followed by another. */
  failures: Type.Array(FailedAttempt),
  waits_for: Type.Union([Type.Enum([...COMMAND_WAITS]), Type.Null()]),
  activity: Type.Array(Type.Object({ state: Type.String(), at: Timestamp })),
  created_at: Timestamp,
  updated_at: Timestamp,
  /** When it is looked at again: the opening of its window, its next attempt, its expiry, or its deadline at the latest. */
  due_at: Type.Union([Timestamp, Type.Null()]),
});

export type Command = Static<typeof Command>;

export type LateAnswer = Static<typeof LateAnswer>;
export type FailedAttempt = Static<typeof FailedAttempt>;
