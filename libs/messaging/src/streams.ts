import {
  deviceStream,
  entities,
  eventStream,
  MAX_DEVICE_PAYLOAD,
  MAX_DEVICE_UNREAD,
  streamChannelsOf,
  streamNamesOf,
  WORK_STREAM,
  type ChannelName,
  type DeviceChannel,
  type ServiceName,
} from '@muster/contracts';
import {
  DiscardPolicy,
  nanos,
  NatsError,
  RetentionPolicy,
  StorageType,
  type JetStreamManager,
  type NatsConnection,
  type StreamConfig,
} from 'nats';
import { setTimeout as delay } from 'node:timers/promises';
import { ifThere } from './if-there.js';

const DAY_MS = 86_400_000;
const GIB = 1024 ** 3;

/**
 * A device may name a request of JetStream's as the subject of an acknowledgement, and the bus does not ask whether it may: what would take
 * messages out of a stream is refused to everybody.
 */
const guarded = { deny_delete: true, deny_purge: true } as const;

/** What is declared of a stream; all else is as the server has it. */
export type StreamSpec = typeof guarded &
  Pick<StreamConfig, 'name' | 'subjects' | 'retention' | 'discard' | 'max_bytes' | 'max_age'> &
  Partial<Pick<StreamConfig, 'max_msg_size' | 'max_msgs_per_subject' | 'discard_new_per_subject'>>;

/** How long a service's events are kept, and how many bytes of them: whichever is reached first takes the oldest. */
export interface EventLimits {
  days: number;
  gib: number;
}

/** The arithmetic behind it: docs/retention.md. */
export const DEFAULT_EVENT_LIMITS: EventLimits = { days: 7, gib: 4 };

/** Work waits until it is done; a full stream refuses more, and the relay that is refused waits. */
const workStream: StreamSpec = {
  ...guarded,
  name: WORK_STREAM,
  subjects: ['muster.work.>'],
  retention: RetentionPolicy.Workqueue,
  discard: DiscardPolicy.New,
  max_bytes: GIB,
  max_age: 0,
};

const deviceChannelStream = (channel: DeviceChannel): StreamSpec => ({
  ...guarded,
  name: deviceStream(channel.name as ChannelName),
  subjects: [`muster.dev.*.*.${channel.name}`],
  retention: RetentionPolicy.Workqueue,
  discard: DiscardPolicy.New,
  max_bytes: GIB / 2,
  max_age: nanos(DAY_MS),
  // What is a little too large is dropped and counted by its reader; a reader must not have to hold hundreds of huge ones.
  max_msg_size: 2 * MAX_DEVICE_PAYLOAD,
  // A device that floods fills its own share, and nobody else's.
  max_msgs_per_subject: MAX_DEVICE_UNREAD,
  discard_new_per_subject: true,
});

const serviceEventStream = (service: ServiceName, limits: EventLimits): StreamSpec => ({
  ...guarded,
  name: eventStream(service),
  subjects: entities.filter((entity) => entity.service === service).map((entity) => `muster.evt.*.${entity.name}.>`),
  retention: RetentionPolicy.Limits,
  discard: DiscardPolicy.Old,
  max_bytes: limits.gib * GIB,
  max_age: nanos(limits.days * DAY_MS),
});

/** The streams that a service publishes to or consumes from. */
export function streamsOf(service: ServiceName, events: EventLimits = DEFAULT_EVENT_LIMITS): StreamSpec[] {
  const names = new Set(streamNamesOf(service));
  return [
    workStream,
    ...streamChannelsOf(service).map(deviceChannelStream),
    serviceEventStream(service, events),
  ].filter(({ name }) => names.has(name));
}

/**
 * How long a stream that was there and is gone is left alone. The server says so before it has removed the files, and one of the same name that
 * is made meanwhile loses its own (seen with nats-server 2.9.10): nothing is stored in it, or nothing delivered, until the server is restarted.
 */
const REMOVED_IN_MS = 2_000;

/** The streams that were there, by the connection that saw them. */
const seen = new WeakMap<NatsConnection, Set<string>>();

/** The server's error code for a stream that may grow beyond what all streams together are allowed. */
const STORAGE_EXCEEDED = 10047;

/**
 * Makes the streams that are missing, and brings the others to what is declared.
 * @throws Error when the server does not allow a stream as many bytes.
 */
export async function ensureStreams(connection: NatsConnection, specs: readonly StreamSpec[]): Promise<void> {
  const manager = await connection.jetstreamManager();
  const known = seen.get(connection) ?? new Set();
  seen.set(connection, known);
  await Promise.all(
    specs.map((spec) =>
      ensureStream(manager, spec, known).catch((error: unknown) => {
        throw explained(error, spec);
      }),
    ),
  );
}

function explained(error: unknown, { name, max_bytes }: StreamSpec): unknown {
  if (!(error instanceof NatsError) || error.api_error?.err_code !== STORAGE_EXCEEDED) return error;
  const gib = (max_bytes / GIB).toFixed(1);
  return new Error(
    `the bus has no room for the ${gib} GiB that ${name} may take: allow JetStream more (max_file) or lower MUSTER_EVENT_GIB`,
    { cause: error },
  );
}

async function ensureStream(manager: JetStreamManager, spec: StreamSpec, known: Set<string>): Promise<void> {
  const { name } = spec;
  const wasThere = known.has(name);
  let current = await ifThere(manager.streams.info(name));
  if (!current && wasThere) {
    await delay(REMOVED_IN_MS);
    current = await ifThere(manager.streams.info(name));
  }
  if (!current) await manager.streams.add({ ...spec, storage: StorageType.File });
  else if (differs(current.config, spec)) await manager.streams.update(name, { ...current.config, ...spec });
  known.add(name);
}

const differs = (current: StreamConfig, spec: StreamSpec) =>
  (['discard', 'max_bytes', 'max_age'] as const).some(
    (key) => current[key] !== spec[key] && !(key === 'max_age' && !current[key] && !spec[key]),
  ) ||
  (['max_msg_size', 'max_msgs_per_subject', 'discard_new_per_subject', 'deny_delete', 'deny_purge'] as const).some(
    (key) => spec[key] !== undefined && current[key] !== spec[key],
  ) ||
  current.subjects.join() !== spec.subjects.join();
