import { deviceStream, deviceSubject, WORK_STREAM } from '@muster/contracts';
import { randomUUID } from 'node:crypto';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { Bus, greet, greeting, PROJECT } from './testing/bus.js';

// The waits between two tries have tests of their own; here they would add up to half a minute.
vi.mock('./back-off.js', () => ({ backOff: () => 1 }));

let bus: Bus;

beforeAll(async () => {
  bus = await Bus.start();
});
afterEach(() => bus.rest());
afterAll(() => bus.stop());

const none = (stream: string) => vi.waitUntil(async () => (await bus.left(stream)) === 0, { timeout: 10_000 });

describe('work that keeps failing', () => {
  it('given eight tries, then it is parked with all that is needed to ask for it again, and does not come back', async () => {
    let tries = 0;
    const host = await bus.serve({
      greet: async () => {
        tries++;
        throw new Error('nobody of that name');
      },
    });
    await bus.ask(greeting('Nemo'), { 'x-kind': 'test' });
    await none(WORK_STREAM);
    expect(tries).toBe(8);
    expect(
      host.parked.map(({ payload, ...rest }) => ({
        ...rest,
        batch: JSON.parse(Buffer.from(payload).toString()) as unknown,
      })),
    ).toEqual([
      {
        subject: greet.subject,
        headers: { 'x-kind': 'test' },
        reason: 'nobody of that name',
        deliveries: 8,
        batch: greeting('Nemo'),
      },
    ]);
  });

  it('given one that is poison among others, then the others are done', async () => {
    const greeted: string[] = [];
    const host = await bus.serve({
      greet: async ({ items }) => {
        if (items[0]!.name === 'Nemo') throw new Error('no');
        greeted.push(items[0]!.name);
      },
    });
    for (const name of ['Ada', 'Nemo', 'Grace', 'Edsger']) await bus.ask(greeting(name));
    await none(WORK_STREAM);
    expect(greeted.sort()).toEqual(['Ada', 'Edsger', 'Grace']);
    expect(host.parked).toHaveLength(1);
  });

  it('given something that is not JSON, then it is parked at once and no handler sees it', async () => {
    const handler = vi.fn(async () => undefined);
    const host = await bus.serve({ greet: handler });
    await bus.ask('{"project_id":');
    await none(WORK_STREAM);
    expect(handler).not.toHaveBeenCalled();
    expect(host.parked).toMatchObject([{ reason: 'not JSON', deliveries: 1 }]);
    expect(Buffer.from(host.parked[0]!.payload).toString()).toBe('{"project_id":');
  });

  it('given trouble that is not the message’s, then it is tried again however often', async () => {
    let tries = 0;
    const host = await bus.serve({
      greet: async () => {
        if (++tries < 20) throw new Error('transient: connection lost');
      },
    });
    await bus.ask(greeting('Ada'));
    await none(WORK_STREAM);
    expect(tries).toBe(20);
    expect(host.parked).toEqual([]);
  });

  it('given that it cannot be parked, then it is not lost: it is tried again until it can', async () => {
    const host = await bus.serve({ greet: () => Promise.reject(new Error('no')) });
    const park = vi
      .spyOn(host, 'park')
      .mockRejectedValueOnce(new Error('disk full'))
      .mockRejectedValueOnce(new Error('disk full'));
    await bus.ask(greeting('Nemo'));
    await none(WORK_STREAM);
    expect(park).toHaveBeenCalledTimes(3);
    expect(host.parked).toMatchObject([{ deliveries: 10 }]);
  });
});

describe('what devices say', () => {
  const status = (reason: string) => ({ command_id: randomUUID(), fence: 1, status: 'failure', reason });
  const stream = deviceStream('status');

  it('given one message among many that no handler can take, then it alone is parked, and each other is handled once', async () => {
    const device = randomUUID();
    const reasons = Array.from({ length: 40 }, (_, index) => (index === 17 ? 'poison' : `reason ${index}`));
    for (const reason of reasons) await bus.say(device, 'status', status(reason));
    const handled: string[] = [];
    const sizes: number[] = [];
    const host = await bus.serve({
      status: async (messages) => {
        sizes.push(messages.length);
        if (messages.some(({ payload }) => payload.reason === 'poison')) throw new Error('bitter');
        handled.push(...messages.map(({ payload }) => payload.reason!));
      },
    });
    await none(stream);
    expect(Math.max(...sizes)).toBeGreaterThan(1);
    expect(handled).toEqual(reasons.filter((reason) => reason !== 'poison'));
    expect(host.parked).toMatchObject([
      { subject: deviceSubject(PROJECT, device, 'status'), reason: 'bitter', deliveries: 8 },
    ]);
    expect(JSON.parse(Buffer.from(host.parked[0]!.payload).toString())).toMatchObject({ reason: 'poison' });
  });

  it('given a lost connection, then the whole batch comes again and nothing is parked or halved', async () => {
    for (let index = 0; index < 10; index++) await bus.say(randomUUID(), 'status', status(`reason ${index}`));
    const sizes: number[] = [];
    const seen = new Set<string>();
    let failures = 12;
    const host = await bus.serve({
      status: async (messages) => {
        sizes.push(messages.length);
        if (failures-- > 0) throw new Error('transient: connection lost');
        for (const { payload } of messages) seen.add(payload.reason!);
      },
    });
    await none(stream);
    expect(seen.size).toBe(10);
    expect(sizes[0]).toBeGreaterThan(1);
    expect(host.parked).toEqual([]);
  });

  it('given garbage between good messages, then it is dropped and told, and never comes again', async () => {
    const device = randomUUID();
    await bus.say(device, 'status', status('first'));
    for (const garbage of ['no json', '[]', '"\\ud800"', 'x'.repeat(300_000)]) await bus.say(device, 'status', garbage);
    await bus.say('Router-7', 'status', status('whose?'));
    await bus.say(device, 'status', status('last'));
    const handled: unknown[] = [];
    const host = await bus.serve({ status: async (messages) => void handled.push(...messages) });
    await none(stream);
    expect(handled).toMatchObject([
      { project_id: PROJECT, device_id: device, payload: { reason: 'first' } },
      { project_id: PROJECT, device_id: device, payload: { reason: 'last' } },
    ]);
    expect(host.dropped.map(({ reason }) => reason)).toEqual([
      'not_json',
      'invalid',
      'invalid',
      'too_large',
      'invalid',
    ]);
    expect(host.parked).toEqual([]);
  });

  it('given a heartbeat that no handler can take, then later ones are handled', async () => {
    const heard: string[] = [];
    const device = randomUUID();
    let failed = false;
    const host = await bus.serve({
      heartbeat: async (messages) => {
        if (!failed) {
          failed = true;
          throw new Error('no');
        }
        heard.push(...messages.map(({ device_id }) => device_id));
      },
    });
    bus.client.publish(deviceSubject(PROJECT, randomUUID(), 'heartbeat'));
    await vi.waitUntil(() => host.errors.length === 1);
    bus.client.publish(deviceSubject(PROJECT, device, 'heartbeat'), '{}');
    await vi.waitUntil(() => heard.length === 1, { timeout: 5_000 });
    expect(heard).toEqual([device]);
  });
});
