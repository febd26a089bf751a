import {
  askersOf,
  deviceChannels,
  deviceInbox,
  deviceStream,
  deviceSubject,
  entities,
  eventStream,
  fleetInbox,
  hasEvents,
  readerInbox,
  serviceInbox,
  streamChannelsOf,
  streamNamesOf,
  uses,
  WORK_STREAM,
  worksOf,
  type ChannelName,
  type ServiceName,
} from '@muster/contracts';

/** The subjects that a user may publish to and subscribe to; all others are refused. */
export interface Permissions {
  publish: string[];
  subscribe: string[];
}

export interface DeviceKey {
  /** Slug. */
  project: string;
  device: string;
}

const JS_API = '$JS.API';

const channels = (direction: 'up' | 'down') =>
  Object.values(deviceChannels)
    .filter((channel) => channel.direction === direction)
    .map(({ name }) => name);

/** What keeping a durable consumer asks of the bus: made, looked at, made anew, read and acknowledged, and no other one. */
const consumerSubjects = (stream: string, consumer: string, filter: string) => [
  `${JS_API}.CONSUMER.CREATE.${stream}.${consumer}.${filter}`,
  `${JS_API}.CONSUMER.INFO.${stream}.${consumer}`,
  `${JS_API}.CONSUMER.DELETE.${stream}.${consumer}`,
  `${JS_API}.CONSUMER.MSG.NEXT.${stream}.${consumer}`,
  `$JS.ACK.${stream}.${consumer}.>`,
];

/** Streams are made and brought to what is declared, never emptied or removed. */
const streamSubjects = (stream: string) =>
  ['INFO', 'CREATE', 'UPDATE'].map((verb) => `${JS_API}.STREAM.${verb}.${stream}`);

/** What a service needs, as the contracts say it. What it reads it may also publish: so a dead letter is replayed. */
export function servicePermissions(service: ServiceName): Permissions {
  const { asks, requests, hears, tells } = uses[service];
  const works = worksOf(service);
  const heard = (channel: ChannelName) => deviceSubject('*', '*', channel);
  const core = hears.filter((name) => deviceChannels[name].carrier === 'core');
  return {
    publish: [
      ...asks.map(({ subject }) => subject),
      ...[...requests, ...works].map(({ subject }) => subject),
      ...[...tells, ...streamChannelsOf(service).map(({ name }) => name as ChannelName)].map(heard),
      ...entities.filter((entity) => entity.service === service).map(({ name }) => `muster.evt.*.${name}.>`),
      ...askersOf(service).map((asker) => `${serviceInbox(asker)}.>`),
      `${JS_API}.INFO`,
      ...streamNamesOf(service).flatMap(streamSubjects),
      // The relay looks whether the stream still has what it published.
      ...(hasEvents(service) ? [`${JS_API}.STREAM.MSG.GET.${eventStream(service)}`] : []),
      ...works.flatMap(({ consumer, subject }) => consumerSubjects(WORK_STREAM, consumer, subject)),
      ...streamChannelsOf(service).flatMap(({ name }) =>
        consumerSubjects(deviceStream(name as ChannelName), service, heard(name as ChannelName)),
      ),
    ],
    subscribe: [`${serviceInbox(service)}.>`, `muster.rpc.${service}.>`, ...core.map(heard)],
  };
}

const speaksFor = (project: string, device: string, inbox: string): Permissions => ({
  publish: channels('up').map((channel) => deviceSubject(project, device, channel)),
  subscribe: [...channels('down').map((channel) => deviceSubject(project, device, channel)), `${inbox}.>`],
});

/** A device's own channels, and where it is told that the bus keeps what it said. */
export const devicePermissions = ({ project, device }: DeviceKey): Permissions =>
  speaksFor(project, device, deviceInbox(project, device));

/**
 * The same over MQTT, which has no inbox. A subscription with QoS 1 gets its messages on a subject below `$MQTT.sub` that the bus makes up;
 * no MQTT client can ask for those itself, but a NATS client could: such a user must be let in over MQTT alone.
 */
export const mqttPermissions = ({ project, device }: DeviceKey): Permissions => ({
  publish: channels('up').map((channel) => deviceSubject(project, device, channel)),
  subscribe: [...channels('down').map((channel) => deviceSubject(project, device, channel)), '$MQTT.sub.>'],
});

/** Every device of one project. */
export const fleetPermissions = (project: string): Permissions => {
  const own = speaksFor(project, '*', fleetInbox(project));
  return { ...own, subscribe: [...own.subscribe, `${deviceInbox(project, '*')}.>`] };
};

/**
 * Reading of events as they come and of those that are kept; of one project, or with `*` of all.
 * A reader of one project names its consumers and gives each one filter, which is then part of what it asks.
 */
export function readerPermissions(project: string): Permissions {
  const streams = [...new Set(entities.map(({ service }) => eventStream(service)))];
  const filter = `muster.evt.${project}.>`;
  const inbox = project === '*' ? '_INBOX' : readerInbox(project);
  return {
    publish: [
      `${JS_API}.INFO`,
      `${JS_API}.STREAM.NAMES`,
      ...streams.flatMap((stream) => [
        `${JS_API}.STREAM.INFO.${stream}`,
        `${JS_API}.CONSUMER.CREATE.${stream}.*.${filter}`,
        ...(project === '*'
          ? [
              `${JS_API}.CONSUMER.CREATE.${stream}`,
              `${JS_API}.CONSUMER.CREATE.${stream}.*`,
              `${JS_API}.CONSUMER.DURABLE.CREATE.${stream}.*`,
            ]
          : []),
        `${JS_API}.CONSUMER.INFO.${stream}.*`,
        `${JS_API}.CONSUMER.DELETE.${stream}.*`,
        `${JS_API}.CONSUMER.MSG.NEXT.${stream}.*`,
        `$JS.ACK.${stream}.>`,
        `$JS.FC.${stream}.>`,
      ]),
    ],
    subscribe: [filter, `${inbox}.>`],
  };
}

/** Who changes the account (to revoke a user), and hears who connects to it and disconnects. Of the system account, not of Muster's. */
export const systemPermissions = (account: string, service: ServiceName): Permissions => ({
  publish: ['$SYS.REQ.CLAIMS.UPDATE', `$SYS.REQ.ACCOUNT.${account}.CLAIMS.LOOKUP`],
  subscribe: [`$SYS.ACCOUNT.${account}.CONNECT`, `$SYS.ACCOUNT.${account}.DISCONNECT`, `${serviceInbox(service)}.>`],
});
