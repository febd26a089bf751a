import {
  deviceChannels,
  deviceStream,
  entities,
  eventStream,
  MAX_DEVICE_PAYLOAD,
  WORK_STREAM,
  type DeviceChannel,
  type ServiceName,
} from '@muster/contracts';
import {
  DiscardPolicy,
  nanos,
  RetentionPolicy,
  StorageType,
  type JetStreamManager,
  type NatsConnection,
  type StreamConfig,
} from 'nats';

const DAY_MS = 86_400_000;
const GIB = 1024 ** 3;

type Spec = Pick<StreamConfig, 'name' | 'subjects' | 'retention' | 'discard' | 'max_bytes' | 'max_age'> &
  Partial<Pick<StreamConfig, 'max_msg_size'>>;

/** Work waits until it is done; a full stream refuses more, and the relay that is refused waits. */
const workStream: Spec = {
  name: WORK_STREAM,
  subjects: ['muster.work.>'],
  retention: RetentionPolicy.Workqueue,
  discard: DiscardPolicy.New,
  max_bytes: GIB,
  max_age: 0,
};

const deviceChannelStream = (channel: DeviceChannel): Spec => ({
  name: deviceStream(channel.name as keyof typeof deviceChannels),
  subjects: [`muster.dev.*.*.${channel.name}`],
  retention: RetentionPolicy.Workqueue,
  discard: DiscardPolicy.New,
  max_bytes: GIB / 2,
  max_age: nanos(DAY_MS),
  // What is a little too large is dropped and counted by its reader; a reader must not have to hold hundreds of huge ones.
  max_msg_size: 2 * MAX_DEVICE_PAYLOAD,
});

const serviceEventStream = (service: ServiceName): Spec => ({
  name: eventStream(service),
  subjects: entities.filter((entity) => entity.service === service).map((entity) => `muster.evt.*.${entity.name}.>`),
  retention: RetentionPolicy.Limits,
  discard: DiscardPolicy.Old,
  max_bytes: 2 * GIB,
  max_age: nanos(7 * DAY_MS),
});

/** The streams that a service publishes to or consumes from. */
export function streamsOf(service: ServiceName): Spec[] {
  const channels = Object.values<DeviceChannel>(deviceChannels).filter(
    (channel) => channel.direction === 'up' && channel.carrier === 'stream',
  );
  return [
    workStream,
    ...channels.map(deviceChannelStream),
    ...(entities.some((entity) => entity.service === service) ? [serviceEventStream(service)] : []),
  ];
}

/** Makes the streams that are missing, and brings the others to what is declared. */
export async function ensureStreams(connection: NatsConnection, specs: readonly Spec[]): Promise<void> {
  const manager = await connection.jetstreamManager();
  for (const spec of specs) await ensureStream(manager, spec);
}

async function ensureStream(manager: JetStreamManager, spec: Spec): Promise<void> {
  const current = await manager.streams.info(spec.name).catch(() => undefined);
  if (!current) {
    await manager.streams.add({ ...spec, storage: StorageType.File });
  } else if (differs(current.config, spec)) {
    await manager.streams.update(spec.name, { ...current.config, ...spec });
  }
}

const differs = (current: StreamConfig, spec: Spec) =>
  (['discard', 'max_bytes', 'max_age'] as const).some(
    (key) => current[key] !== spec[key] && !(key === 'max_age' && !current[key] && !spec[key]),
  ) ||
  (spec.max_msg_size !== undefined && current.max_msg_size !== spec.max_msg_size) ||
  current.subjects.join() !== spec.subjects.join();
