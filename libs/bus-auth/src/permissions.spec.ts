import {
  deviceChannels,
  deviceStream,
  deviceSubject,
  entities,
  eventStream,
  eventSubject,
  rpcs,
  SERVICES,
  serviceInbox,
  uses,
  WORK_STREAM,
  works,
  type ChannelName,
  type ServiceName,
} from '@muster/contracts';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  devicePermissions,
  fleetPermissions,
  mqttPermissions,
  readerPermissions,
  servicePermissions,
  systemPermissions,
} from './permissions.js';

/** Whether one of the patterns takes the subject, as the bus judges it: `*` is one token, `>` all that are left. */
const may = (patterns: readonly string[], subject: string): boolean =>
  patterns.some((pattern) => {
    const [want, got] = [pattern.split('.'), subject.split('.')];
    return (
      want.every((token, index) =>
        token === '>' ? got.length > index : got[index] !== undefined && (token === '*' || token === got[index]),
      ) &&
      (want.at(-1) === '>' || want.length === got.length)
    );
  });

const names = Object.keys(deviceChannels) as ChannelName[];
const ups = names.filter((name) => deviceChannels[name].direction === 'up');
const downs = names.filter((name) => deviceChannels[name].direction === 'down');
const publishersOf = (subject: string) => SERVICES.filter((name) => may(servicePermissions(name).publish, subject));
const hearersOf = (subject: string) => SERVICES.filter((name) => may(servicePermissions(name).subscribe, subject));
const DEVICE = '01a1fccf-3953-7610-8607-8a92a41d0467';
const OTHER = '01a1fccf-3953-7610-8607-8a92a41d0468';

describe('the permissions of services', () => {
  it.each(rpcs.map((rpc) => [rpc.subject, rpc] as const))(
    'given the question %s, then those ask it that say so, and its service alone hears it',
    (subject, rpc) => {
      expect(publishersOf(subject)).toEqual(SERVICES.filter((name) => uses[name].asks.includes(rpc)));
      expect(hearersOf(subject)).toEqual([rpc.service]);
    },
  );

  it.each(works.map((work) => [work.subject, work] as const))(
    'given the work %s, then those ask for it that say so, its own service replays it, and nobody listens beside its stream',
    (subject, work) => {
      expect(publishersOf(subject)).toEqual(
        SERVICES.filter((name) => name === work.service || uses[name].requests.includes(work)),
      );
      expect(hearersOf(subject)).toEqual([]);
    },
  );

  it.each(entities.map((entity) => [entity.name, entity] as const))(
    'given an event of a %s, then its service alone publishes it',
    (name, entity) => {
      for (const state of entity.states) {
        const subject = eventSubject('acme', name, state, DEVICE);
        expect(publishersOf(subject)).toEqual([entity.service]);
        expect(hearersOf(subject)).toEqual([]);
      }
    },
  );

  it('given the channels down to devices, then the dispatcher alone speaks on them', () => {
    for (const name of downs) {
      expect(publishersOf(deviceSubject('acme', DEVICE, name))).toEqual(['command-dispatcher']);
      expect(hearersOf(deviceSubject('acme', DEVICE, name))).toEqual([]);
    }
  });

  it.each(ups)(
    'given the channel %s, then no service publishes on it that does not read it from its stream',
    (name) => {
      const kept = deviceChannels[name].carrier === 'stream';
      const readers = SERVICES.filter((service) => uses[service].hears.includes(name));
      expect(publishersOf(deviceSubject('acme', DEVICE, name))).toEqual(kept ? readers : []);
      expect(hearersOf(deviceSubject('acme', DEVICE, name))).toEqual(kept ? [] : readers);
    },
  );

  it.each(SERVICES)('given %s, then it hears its own answers only, and answers those who ask it', (service) => {
    expect(hearersOf(`${serviceInbox(service)}.a.b`)).toEqual([service]);
    const asked = new Set(rpcs.filter((rpc) => rpc.service === service));
    const askers = SERVICES.filter((asker) => uses[asker].asks.some((rpc) => asked.has(rpc)));
    expect(SERVICES.filter((asker) => may(servicePermissions(service).publish, `${serviceInbox(asker)}.a.b`))).toEqual(
      askers,
    );
  });

  it('given any stream, then no service may empty or remove it, or take a message out of it', () => {
    const streams = [WORK_STREAM, ...ups.map(deviceStream), ...SERVICES.map(eventStream)];
    for (const stream of streams)
      for (const verb of ['DELETE', 'PURGE', 'MSG.DELETE', 'SNAPSHOT', 'RESTORE'])
        expect(publishersOf(`$JS.API.STREAM.${verb}.${stream}`)).toEqual([]);
  });

  it('given the stream of a channel, then nobody reads it or changes it but the service that hears the channel', () => {
    const others = (name: ChannelName) => SERVICES.filter((service) => uses[service].hears.includes(name));
    for (const name of ups.filter((each) => deviceChannels[each].carrier === 'stream')) {
      const stream = deviceStream(name);
      expect(publishersOf(`$JS.API.STREAM.UPDATE.${stream}`)).toEqual(others(name));
      for (const service of SERVICES) {
        const readers = others(name).filter((each) => each === service);
        expect(publishersOf(`$JS.API.CONSUMER.MSG.NEXT.${stream}.${service}`)).toEqual(readers);
        expect(publishersOf(`$JS.API.CONSUMER.CREATE.${stream}.${service}.muster.dev.*.*.${name}`)).toEqual(readers);
      }
    }
  });

  it('given the consumer of some work, then the service that does it alone reads and acknowledges it', () => {
    for (const { consumer, service } of works) {
      expect(publishersOf(`$JS.API.CONSUMER.MSG.NEXT.${WORK_STREAM}.${consumer}`)).toEqual([service]);
      expect(publishersOf(`$JS.ACK.${WORK_STREAM}.${consumer}.1.2.3.4.5`)).toEqual([service]);
    }
  });
});

/** Subjects of everything that is no device's own. */
const foreign = (): string[] => [
  ...rpcs.map(({ subject }) => subject),
  ...works.map(({ subject }) => subject),
  ...entities.map(({ name, states }) => eventSubject('acme', name, states[0]!, DEVICE)),
  ...SERVICES.map((service: ServiceName) => `${serviceInbox(service)}.a`),
  ...['INFO', 'STREAM.NAMES', `STREAM.INFO.${WORK_STREAM}`, 'STREAM.CREATE.MINE'].map((api) => `$JS.API.${api}`),
  `$JS.ACK.${WORK_STREAM}.a.1.2.3.4.5`,
  '$SYS.REQ.SERVER.PING',
  '_INBOX.a',
];

describe('the permissions of a device', () => {
  const own = { project: 'acme', device: DEVICE };

  it.each([
    ['NATS', devicePermissions(own)],
    ['MQTT', mqttPermissions(own)],
  ])('given its own subjects, then over %s it speaks on those up and listens on those down', (_over, permissions) => {
    for (const name of names) {
      expect(may(permissions.publish, deviceSubject('acme', DEVICE, name))).toBe(ups.includes(name));
      expect(may(permissions.subscribe, deviceSubject('acme', DEVICE, name))).toBe(downs.includes(name));
    }
  });

  it('given the subjects of any other device, or of its own id in another project, then none is open', () => {
    const slug = fc.stringMatching(/^[a-z0-9-]{1,40}$/);
    fc.assert(
      fc.property(slug, fc.uuid(), fc.constantFrom(...names), (project, device, name) => {
        fc.pre(project !== 'acme' || device !== DEVICE);
        const subject = deviceSubject(project, device, name);
        for (const { publish, subscribe } of [devicePermissions(own), mqttPermissions(own)])
          expect(may(publish, subject) || may(subscribe, subject)).toBe(false);
      }),
    );
    expect(may(devicePermissions(own).subscribe, deviceSubject('other', DEVICE, 'command'))).toBe(false);
    expect(may(devicePermissions(own).subscribe, deviceSubject('acme', OTHER, 'command'))).toBe(false);
  });

  it('given what services say to each other, to other systems and to the bus, then none is open', () => {
    for (const subject of foreign())
      for (const { publish, subscribe } of [devicePermissions(own), mqttPermissions(own)])
        expect([subject, may(publish, subject) || may(subscribe, subject)]).toEqual([subject, false]);
  });
});

describe('the permissions of a fleet', () => {
  it('given devices of its project and of another one, then it speaks for the first only', () => {
    const { publish, subscribe } = fleetPermissions('acme');
    expect(may(publish, deviceSubject('acme', DEVICE, 'status'))).toBe(true);
    expect(may(subscribe, deviceSubject('acme', OTHER, 'command'))).toBe(true);
    expect(may(publish, deviceSubject('other', DEVICE, 'status'))).toBe(false);
    expect(may(publish, deviceSubject('acme', DEVICE, 'command'))).toBe(false);
    for (const subject of foreign())
      expect([subject, may([...publish, ...subscribe], subject)]).toEqual([subject, false]);
  });
});

describe('the permissions of a reader of events', () => {
  it('given a reader of one project, then events of another are neither heard nor fetched', () => {
    const { publish, subscribe } = readerPermissions('acme');
    const create = '$JS.API.CONSUMER.CREATE.MUSTER_EVT_DEVICE_STATE';
    expect(may(subscribe, 'muster.evt.acme.device.ONLINE.x')).toBe(true);
    expect(may(subscribe, 'muster.evt.other.device.ONLINE.x')).toBe(false);
    expect(may(publish, `${create}.mine.muster.evt.acme.device.>`)).toBe(true);
    expect(may(publish, `${create}.mine.muster.evt.other.device.>`)).toBe(false);
    expect(may(publish, create) || may(publish, `${create}.mine`)).toBe(false);
  });

  it('given a reader of all, then it publishes no event, reads no other stream and changes none', () => {
    const { publish } = readerPermissions('*');
    expect(may(publish, 'muster.evt.acme.device.ONLINE.x')).toBe(false);
    for (const subject of [...rpcs, ...works].map((contract) => contract.subject))
      expect(may(publish, subject)).toBe(false);
    for (const stream of [WORK_STREAM, ...ups.map(deviceStream)])
      for (const api of [`STREAM.INFO.${stream}`, `CONSUMER.CREATE.${stream}`, `CONSUMER.CREATE.${stream}.a.b`])
        expect(may(publish, `$JS.API.${api}`)).toBe(false);
    for (const verb of ['CREATE', 'UPDATE', 'DELETE', 'PURGE', 'MSG.DELETE'])
      expect(may(publish, `$JS.API.STREAM.${verb}.MUSTER_EVT_DEVICE_STATE`)).toBe(false);
  });
});

describe('the permissions of a service in the system account', () => {
  it("given Muster's account and another one, then it changes and hears the first, and asks the bus for nothing else", () => {
    const { publish, subscribe } = systemPermissions('AMINE', 'device-state');
    expect(may(publish, '$SYS.REQ.CLAIMS.UPDATE') && may(publish, '$SYS.REQ.ACCOUNT.AMINE.CLAIMS.LOOKUP')).toBe(true);
    for (const asked of ['SERVER.PING', 'SERVER.PING.CONNZ', 'ACCOUNT.AMINE.CONNZ', 'ACCOUNT.ATHEIRS.CLAIMS.LOOKUP'])
      expect([asked, may(publish, `$SYS.REQ.${asked}`)]).toEqual([asked, false]);
    expect(may(subscribe, '$SYS.ACCOUNT.AMINE.DISCONNECT')).toBe(true);
    expect(may(subscribe, '$SYS.ACCOUNT.ATHEIRS.DISCONNECT')).toBe(false);
  });
});
