import { commandDispatcher, deviceSubject, eventSubject, SERVICES, serviceInbox, WORK_STREAM } from '@muster/contracts';
import { DeliverPolicy } from 'nats';
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readerUser, serviceUser } from './index.js';
import { maySubscribe, refusals, tryPublish } from './testing/attempts.js';
import { busWithUsers, type BusWithUsers } from './testing/bus-with-users.js';

let bus: BusWithUsers;
const EVENTS = 'MUSTER_EVT_DEVICE_STATE';

beforeAll(async () => {
  bus = await busWithUsers();
  const manager = await (await bus.administrator()).jetstreamManager();
  await manager.streams.add({ name: EVENTS, subjects: ['muster.evt.*.device.>'] });
  await manager.streams.add({ name: WORK_STREAM, subjects: ['muster.work.>'] });
});
afterAll(() => bus.stop());

describe('a service on the bus', () => {
  it('given no credentials, or those of another bus, then nobody is let in', async () => {
    const stranger = await busWithUsers();
    try {
      const creds = await serviceUser(stranger.signer, 'gateway');
      await expect(bus.connect('', serviceInbox('gateway'))).rejects.toThrow();
      await expect(bus.connect(creds, serviceInbox('gateway'))).rejects.toThrow();
    } finally {
      await stranger.stop();
    }
  });

  it('given device-state, when it sends a command, then the bus refuses, and no device hears it', async () => {
    const service = await bus.service('device-state');
    const refused = refusals(service);
    const subject = deviceSubject('acme', randomUUID(), 'command');
    const heard: string[] = [];
    const administrator = await bus.administrator();
    administrator.subscribe('muster.dev.>', { callback: (_error, message) => void heard.push(message.subject) });
    await administrator.flush();
    await tryPublish(service, subject);
    await expect.poll(() => refused).toEqual([subject]);
    await administrator.flush();
    expect(heard).toEqual([]);
  });

  it('given the dispatcher, when it sends one, then the device hears it', async () => {
    const service = await bus.service('command-dispatcher');
    const subject = deviceSubject('acme', randomUUID(), 'command');
    const administrator = await bus.administrator();
    const subscription = administrator.subscribe(subject, { max: 1 });
    await administrator.flush();
    await tryPublish(service, subject);
    for await (const message of subscription) expect(message.subject).toBe(subject);
  });

  it.each([
    ['the events of others', eventSubject('acme', 'device', 'ONLINE', 'x')],
    ['questions to itself', commandDispatcher.getCommand.subject],
    ['the removal of a stream', `$JS.API.STREAM.DELETE.${WORK_STREAM}`],
    ['answers to itself', `${serviceInbox('job-planner')}.x`],
  ])('given the planner, when it publishes %s, then the bus refuses', async (_what, subject) => {
    const service = await bus.service('job-planner');
    const refused = refusals(service);
    await tryPublish(service, subject);
    await expect.poll(() => refused).toEqual([subject]);
  });

  it.each(SERVICES)('given %s, then it cannot listen to all that is said', async (name) => {
    const service = await bus.service(name);
    for (const subject of ['>', 'muster.>', '_INBOX.>', 'muster.dev.>', '$JS.>'])
      expect([subject, await maySubscribe(service, subject)]).toEqual([subject, false]);
    expect(await maySubscribe(service, `muster.rpc.${name}.x`)).toBe(true);
  });
});

describe('a reader of events on the bus', () => {
  it('given a reader of one project, then it reads the kept events of that project, and a consumer of others is refused', async () => {
    const service = await bus.service('device-state');
    for (const project of ['acme', 'other'])
      await service.jetstream().publish(eventSubject(project, 'device', 'ONLINE', project), project);
    const reader = await bus.connect(await readerUser(bus.signer, 'acme'), '_INBOX_evt.acme');
    const manager = await reader.jetstreamManager();
    const add = (project: string) =>
      manager.consumers.add(EVENTS, {
        name: `of-${project}`,
        filter_subject: `muster.evt.${project}.device.>`,
        deliver_policy: DeliverPolicy.All,
      });
    await add('acme');
    const consumer = await reader.jetstream().consumers.get(EVENTS, 'of-acme');
    const message = await consumer.next({ expires: 5_000 });
    expect(message?.string()).toBe('acme');
    message?.ack();
    await expect(add('other')).rejects.toThrow(/permissions violation/i);
    expect(await maySubscribe(reader, 'muster.evt.acme.>')).toBe(true);
    expect(await maySubscribe(reader, 'muster.evt.other.>')).toBe(false);
    expect(await maySubscribe(reader, 'muster.evt.>')).toBe(false);
  });

  it('given a reader of all with an ordinary client, then it reads in order what is kept, and can publish nothing', async () => {
    const reader = await bus.connect(await readerUser(bus.signer, '*'));
    const consumer = await reader.jetstream().consumers.get(EVENTS, { filterSubjects: 'muster.evt.acme.device.>' });
    expect((await consumer.next({ expires: 5_000 }))?.string()).toBe('acme');
    const refused = refusals(reader);
    const subject = eventSubject('acme', 'device', 'ONLINE', 'forged');
    await tryPublish(reader, subject);
    await expect.poll(() => refused).toEqual([subject]);
  });
});
