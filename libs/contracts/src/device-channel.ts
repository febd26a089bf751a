import Type, { type Static, type TSchema } from 'typebox';
import { JsonObject, ProjectId, Uuid } from './schema.js';

/** The largest payload a device may publish on any channel, in bytes; larger ones are dropped and counted. */
export const MAX_DEVICE_PAYLOAD = 256 * 1024;

/** How much of one channel of one device may wait to be read; more is refused, and the device says it again later. */
export const MAX_DEVICE_UNREAD = 500;

/** Devices say `heartbeat` this often; three missed ones make a device offline (interfaces §8). */
export const HEARTBEAT_SECONDS = 30;
export const MISSED_HEARTBEATS = 3;

const Text = (maxLength: number) => Type.String({ maxLength });

/** Up, on connecting; the answer is every command that waits. */
export const Hello = Type.Object({
  agent: Type.Optional(Text(128)),
  version: Type.Optional(Text(128)),
  boot_id: Type.Optional(Text(128)),
  reported: Type.Optional(JsonObject),
});

export const Heartbeat = Type.Object({});

/** Down. `deadline`: ISO 8601, after which the server no longer waits. A command may arrive twice; it is run once. */
export const CommandMessage = Type.Object({
  command_id: Uuid,
  command: Type.String(),
  args: JsonObject,
  attempt: Type.Integer({ minimum: 1 }),
  fence: Type.Integer({ minimum: 1 }),
  deadline: Type.String({ format: 'date-time' }),
});

/** Down: stop the command if it still runs, and answer with `failure`, code `cancelled`. */
export const CancelMessage = Type.Object({ command_id: Uuid, fence: Type.Integer({ minimum: 1 }) });

export const DEVICE_STATUSES = ['acknowledged', 'inprogress', 'success', 'failure'] as const;

/** How much of the texts of a status is kept, in UTF-16 code units. Longer ones are shortened: the end of a command is worth more than its reason. */
export const STATUS_TEXT = { reason: 2048, code: 128 } as const;

const keptText = (length: number) =>
  Type.String({ description: `of a longer one the first ${length} characters are kept` });

/** Up. A status with an old fence changes nothing. `progress`: percent. */
export const StatusMessage = Type.Object({
  command_id: Uuid,
  fence: Type.Integer({ minimum: 1 }),
  status: Type.Enum([...DEVICE_STATUSES]),
  progress: Type.Optional(Type.Number({ minimum: 0, maximum: 100 })),
  reason: Type.Optional(keptText(STATUS_TEXT.reason)),
  code: Type.Optional(keptText(STATUS_TEXT.code)),
  evidence: Type.Optional(JsonObject),
});

/** Up: merged into the device's reported state (RFC 7396 merge patch). */
export const Report = Type.Object({ reported: JsonObject });

export type Hello = Static<typeof Hello>;
export type CommandMessage = Static<typeof CommandMessage>;
export type CancelMessage = Static<typeof CancelMessage>;
export type StatusMessage = Static<typeof StatusMessage>;
export type Report = Static<typeof Report>;

/**
 * How a channel is carried: `stream` channels survive a service that is away, `core` ones are worth nothing later.
 * One stream a channel, so that a flood on one never pushes another out.
 */
export interface DeviceChannel<Payload extends TSchema = TSchema> {
  name: string;
  direction: 'up' | 'down';
  carrier: 'stream' | 'core';
  payload: Payload;
}

export const deviceChannels = {
  hello: { name: 'hello', direction: 'up', carrier: 'stream', payload: Hello },
  heartbeat: { name: 'heartbeat', direction: 'up', carrier: 'core', payload: Heartbeat },
  command: { name: 'command', direction: 'down', carrier: 'core', payload: CommandMessage },
  cancel: { name: 'cancel', direction: 'down', carrier: 'core', payload: CancelMessage },
  status: { name: 'status', direction: 'up', carrier: 'stream', payload: StatusMessage },
  report: { name: 'report', direction: 'up', carrier: 'stream', payload: Report },
} as const satisfies Record<string, DeviceChannel>;

export type ChannelName = keyof typeof deviceChannels;

/** `muster.dev.<project>.<device>.<channel>`; `<device>` is the device's id. `*` stands for every one. */
export const deviceSubject = (project: string, device: string, channel: ChannelName) =>
  `muster.dev.${project}.${device}.${channel}`;

/** The JetStream stream of an upward `stream` channel. */
export const deviceStream = (channel: ChannelName) => `MUSTER_DEV_${channel.toUpperCase()}`;

/** Who speaks on a device subject. An id in another spelling (upper case) is nobody's: one device, one subject. */
export const DeviceSender = Type.Object({
  project_id: ProjectId,
  device_id: Type.String({ pattern: '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' }),
});

/** Project and device of a device subject. */
export function parseDeviceSubject(subject: string): { project_id: string; device_id: string } {
  const [, , project_id = '', device_id = ''] = subject.split('.');
  return { project_id, device_id };
}
