import { deviceStream, deviceSubject, WORK_STREAM, type ChannelName } from '@muster/contracts';
import { AckPolicy, nanos, type JsMsg } from 'nats';
import { randomUUID } from 'node:crypto';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { nameOf } from './settle.js';
import { Bus, greet, greeting, KeepingHost, PROJECT } from './testing/bus.js';

// The waits between two tries have tests of their own; here they would add up to half a minute.
vi.mock('./back-off.js', () => ({ PASSING_TROUBLE_MS: 1, backOff: () => 1 }));

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
        name: expect.any(String) as string,
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

describe('a message that ends its reader', () => {
  /** Gives the messages of a consumer out `times` times to readers that end without a word, and gives their names. */
  const lose = async (stream: string, durable: string, subject: string, times: number): Promise<string[]> => {
    const manager = await bus.client.jetstreamManager();
    const config = { ack_wait: nanos(50), max_ack_pending: 256, max_deliver: -1 };
    const made = { durable_name: durable, filter_subject: subject, ack_policy: AckPolicy.Explicit, ...config };
    await manager.consumers.delete(stream, durable).catch(() => undefined);
    await manager.consumers.add(stream, made);
    const consumer = await bus.client.jetstream().consumers.get(stream, durable);
    const waiting = await bus.left(stream);
    let names: string[] = [];
    for (let time = 0; time < times; time++) {
      const given: JsMsg[] = [];
      const messages = await consumer.fetch({ max_messages: waiting, expires: 5_000 });
      for await (const message of messages) given.push(message);
      names = given.map(nameOf);
      // The last one need not be waited for.
      if (time === times - 1) for (const message of given) message.nak();
    }
    await bus.client.flush();
    return names;
  };
  const loseWork = (times: number) => lose(WORK_STREAM, greet.consumer, greet.subject, times);

  it('given that it came often and no reader was lost with it, then it is handled, and is no longer watched when it is done', async () => {
    await bus.ask(greeting('Ada'));
    const [name] = await loseWork(5);
    let watched: string[] = [];
    const host = new KeepingHost();
    await bus.serve({ greet: async () => void (watched = [...host.watch.begun]) }, host);
    await none(WORK_STREAM);
    expect(watched).toEqual([name]);
    expect([...host.watch.begun]).toEqual([]);
    expect(host.parked).toEqual([]);
  });

  it('given that three readers were lost with it, then it is parked with that reason and no handler sees it, and others are done', async () => {
    await bus.ask(greeting('Nemo'));
    await bus.ask(greeting('Ada'));
    const [nemo, ada] = await loseWork(7);
    const lost = new KeepingHost();
    lost.watch.lost.set(nemo!, 3).set(ada!, 1);
    const greeted: string[] = [];
    await bus.serve({ greet: async ({ items }) => void greeted.push(items[0]!.name) }, lost);
    await none(WORK_STREAM);
    expect(greeted).toEqual(['Ada']);
    expect(lost.parked).toMatchObject([{ reason: '3 readers ended while they handled it', deliveries: 8 }]);
    expect(lost.watch.lost.size).toBe(0);
  });

  it('given a batch of devices with which a reader was lost, then each of its messages is handled alone, and the next process finds the one to blame', async () => {
    const channel: ChannelName = 'status';
    const stream = deviceStream(channel);
    const payload = (reason: string) => ({ command_id: randomUUID(), fence: 1, status: 'failure', reason });
    for (const reason of ['a', 'b', 'poison', 'c', 'd']) await bus.say(randomUUID(), channel, payload(reason));
    const names = await lose(stream, 'device-state', `muster.dev.*.*.${channel}`, 4);
    const host = new KeepingHost();
    await host.watch.begin(names);
    host.watch.die();
    const batches: string[][] = [];
    let beside: string[] = [];
    await bus.serve(
      {
        status: async (messages) => {
          batches.push(messages.map((message) => message.payload.reason!));
          if (messages.some((message) => message.payload.reason === 'poison')) beside = [...host.watch.begun];
        },
      },
      host,
    );
    await none(stream);
    expect(batches).toEqual([['a'], ['b'], ['poison'], ['c'], ['d']]);
    expect(beside).toEqual([names[2]]);
  });

  it('given that the watch cannot be asked, then nothing is handled unwatched, and it is tried again until it can', async () => {
    await bus.ask(greeting('Ada'));
    await loseWork(5);
    const host = new KeepingHost();
    const ask = vi.spyOn(host.watch, 'lostReaders').mockRejectedValueOnce(new Error('transient: no database'));
    vi.spyOn(host.watch, 'begin').mockRejectedValueOnce(new Error('transient: no database'));
    let greeted = 0;
    await bus.serve({ greet: async () => void greeted++ }, host);
    await none(WORK_STREAM);
    expect(ask).toHaveBeenCalledTimes(3);
    expect(greeted).toBe(1);
    expect(host.parked).toEqual([]);
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
