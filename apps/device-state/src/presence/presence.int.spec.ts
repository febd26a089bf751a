import { MAX_DEVICE_PAYLOAD } from '@muster/contracts';
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { RunningDeviceState } from '../testing/running-device-state.js';

let service: RunningDeviceState;
beforeAll(async () => {
  service = await RunningDeviceState.start();
});
afterAll(() => service?.stop());

const PATIENCE = { timeout: 10_000, interval: 25 };
const eventually = (assertion: () => void | Promise<void>) => vi.waitFor(assertion, PATIENCE);

/** Registers a device that has said hello. */
async function onlineDevice(project: string, name: string): Promise<string> {
  const id = await service.register(project, name);
  service.say(project, id, 'hello', {});
  await eventually(async () => expect(await service.device(project, id)).toMatchObject({ online: true }));
  return id;
}

/** Puts the state of a row back, as after days of silence. */
const forget = (id: string) =>
  service.query(
    `UPDATE device SET state = 'OFFLINE', presence_due = NULL, last_seen = now() - interval '1 day' WHERE id = $1`,
    [id],
  );

describe('hello', () => {
  it('given a registered device, when it says hello, then it is online, an event tells so, and command-dispatcher is asked for what waits', async () => {
    const id = await service.register('hello', 'a');
    service.say('hello', id, 'hello', { agent: 'agent', version: '1.2', boot_id: 'b1', reported: { up: true } });

    await eventually(() => expect(service.presenceOf(id)).toEqual([{ online: true, version: 2 }]));
    await eventually(() =>
      expect(service.eventsOf(id).at(-1)).toEqual({
        project_id: 'hello',
        id,
        from: 'REGISTERED',
        to: 'ONLINE',
        version: 2,
        reason: '',
        name: 'a',
      }),
    );
    expect(await service.device('hello', id)).toMatchObject({
      state: 'ONLINE',
      online: true,
      version: 2,
      agent: { agent: 'agent', version: '1.2', boot_id: 'b1' },
      reported: { up: true },
      last_seen: expect.stringMatching(/^\d{4}-.*Z$/) as string,
    });
  });

  it('given a device that is online, when it says hello again, then command-dispatcher is asked again, and there is no event', async () => {
    const id = await onlineDevice('hello', 'b');
    service.say('hello', id, 'hello', { agent: 'new', reported: { n: 1 } });

    await eventually(() => expect(service.presenceOf(id)).toEqual(Array(2).fill({ online: true, version: 2 })));
    expect(await service.device('hello', id)).toMatchObject({
      version: 2,
      agent: { agent: 'new' },
      reported: { n: 1 },
    });
    expect(service.eventsOf(id).map(({ to }) => to)).toEqual(['REGISTERED', 'ONLINE']);
  });

  it('given hundreds of devices of two projects at once, then every one comes online once', async () => {
    const ids: string[] = [];
    for (const project of ['many-a', 'many-b']) {
      for (let n = 0; n < 150; n++) ids.push(await service.register(project, `d${n}`));
    }
    ids.forEach((id, index) => service.say(index < 150 ? 'many-a' : 'many-b', id, 'hello', {}));
    await eventually(() => {
      for (const id of ids)
        expect(service.eventsOf(id).map(({ to, version }) => [to, version])).toEqual([
          ['REGISTERED', 1],
          ['ONLINE', 2],
        ]);
    });
  });
});

describe('heartbeat', () => {
  it('given an online device, then its last sign of life moves, and nothing else happens', async () => {
    const id = await onlineDevice('beat', 'a');
    const before = await service.device('beat', id);
    service.say('beat', id, 'heartbeat', {});

    await eventually(async () => expect((await service.device('beat', id)).last_seen! > before.last_seen!).toBe(true));
    const after = await service.device('beat', id);
    expect(after).toEqual({ ...before, last_seen: after.last_seen });
    expect(service.presenceOf(id)).toHaveLength(1);
  });

  it('given a device that is not online, then it comes online without a hello', async () => {
    const id = await onlineDevice('beat', 'b');
    await forget(id);
    service.say('beat', id, 'heartbeat', '');

    await eventually(() => expect(service.presenceOf(id).at(-1)).toEqual({ online: true, version: 3 }));
    await eventually(() =>
      expect(service.eventsOf(id).at(-1)).toMatchObject({ from: 'OFFLINE', to: 'ONLINE', version: 3 }),
    );
  });
});

describe('report', () => {
  it('given reports one after the other, then each is merged into what the device is', async () => {
    const id = await onlineDevice('report', 'a');
    service.say('report', id, 'report', { reported: { a: 1, b: { c: 1, d: 1 } } });
    service.say('report', id, 'report', { reported: { a: null, b: { c: 2 } } });
    for (let n = 1; n <= 200; n++) service.say('report', id, 'report', { reported: { last: n } });

    await eventually(async () =>
      expect((await service.device('report', id)).reported).toEqual({ b: { c: 2, d: 1 }, last: 200 }),
    );
    expect(service.presenceOf(id)).toHaveLength(1);
  });

  it('given a device that is not online, then a report shows that it lives', async () => {
    const id = await service.register('report', 'b');
    service.say('report', id, 'report', { reported: { x: 1 } });
    await eventually(() => expect(service.presenceOf(id)).toEqual([{ online: true, version: 2 }]));
    expect(await service.device('report', id)).toMatchObject({ online: true, reported: { x: 1 }, agent: null });
  });

  it('given a report that would make the state too large, then it is dropped and counted, and the next one counts', async () => {
    const id = await onlineDevice('report', 'c');
    const half = 'x'.repeat(150 * 1024);
    service.say('report', id, 'report', { reported: { a: half } });
    service.say('report', id, 'report', { reported: { b: half } });
    service.say('report', id, 'report', { reported: { c: 1 } });

    await eventually(async () =>
      expect(Object.keys((await service.device('report', id)).reported)).toEqual(['a', 'c']),
    );
    expect(await service.dropped('report', 'reported_too_large')).toBe(1);
  });
});

describe('what changes nothing', () => {
  it.each(['hello', 'heartbeat', 'report'] as const)(
    'given senders of %s that do not exist or are another project’s, then each is dropped and counted, and a real one is heard',
    async (channel) => {
      const before = await service.dropped(channel, 'unknown_device');
      const id = await service.register('real', `unknown-${channel}`);
      const payload = { reported: { heard: true } };
      service.say('real', randomUUID(), channel, payload);
      service.say('not-real', id, channel, payload);
      await eventually(async () => expect(await service.dropped(channel, 'unknown_device')).toBe(before + 2));
      expect(await service.device('real', id)).toMatchObject({ state: 'REGISTERED', reported: {} });

      service.say('real', id, channel, payload);
      await eventually(() => expect(service.presenceOf(id)).toEqual([{ online: true, version: 2 }]));
    },
  );

  const nested = (levels: number) => `{"reported":{"a":${'['.repeat(levels)}${']'.repeat(levels)}}}`;

  it.each([
    ['not JSON', 'not_json', 'garbage'],
    ['not UTF-8', 'not_json', new Uint8Array([0xff, 0xfe, 0x00, 0x80])],
    ['not an object', 'invalid', '[1]'],
    ['a number', 'invalid', '7'],
    ['U+0000', 'invalid', '{"reported":{"a":"\\u0000"}}'],
    ['half a surrogate pair', 'invalid', '{"reported":{"a":"\\ud800"}}'],
    ['nesting that exhausts the stack', 'invalid', nested(100_000)],
    ['more than fits', 'too_large', JSON.stringify({ reported: { a: 'x'.repeat(MAX_DEVICE_PAYLOAD) } })],
  ])(
    'given %s on every channel, then it is dropped and counted as %s, and the service goes on',
    async (_what, reason, garbage) => {
      const id = await service.register('garbage', `${_what}`);
      for (const channel of ['hello', 'heartbeat', 'report'] as const) {
        const before = await service.dropped(channel, reason);
        service.say('garbage', id, channel, garbage);
        await eventually(async () => expect(await service.dropped(channel, reason)).toBe(before + 1));
      }
      expect(await service.device('garbage', id)).toMatchObject({ state: 'REGISTERED', reported: {}, version: 1 });

      service.say('garbage', id, 'heartbeat', {});
      await eventually(async () => expect(await service.device('garbage', id)).toMatchObject({ online: true }));
      for (const channel of ['hello', 'report'] as const) {
        service.say('garbage', id, channel, { reported: { [channel]: 1 } });
      }
      await eventually(async () =>
        expect((await service.device('garbage', id)).reported).toEqual({ hello: 1, report: 1 }),
      );
    },
  );

  it('given a reported state that nests too deep, then it is left out and counted, and the hello still counts', async () => {
    const id = await service.register('garbage', 'deep');
    service.say('garbage', id, 'hello', nested(1_000));
    await eventually(() => expect(service.presenceOf(id)).toHaveLength(1));
    await eventually(async () => expect(await service.dropped('hello', 'reported_too_deep')).toBe(1));
    expect(await service.device('garbage', id)).toMatchObject({ online: true, reported: {} });
  });

  it.each(['thermostat', `x'--`, '0190A000-0000-7000-8000-00000000000A', '%00'])(
    'given a subject with the device "%s", then it is dropped and counted',
    async (device) => {
      for (const channel of ['hello', 'heartbeat', 'report'] as const) {
        const before = await service.dropped(channel, 'invalid');
        service.say('garbage', device, channel, { reported: {} });
        await eventually(async () => expect(await service.dropped(channel, 'invalid')).toBe(before + 1));
      }
    },
  );
});
