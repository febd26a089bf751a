import type { JsonObject } from '@muster/contracts';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { RunningDeviceState } from '../testing/running-device-state.js';
import { PresenceChannels } from './presence.channels.js';

const PROJECT = 'late';
const MINUTE = 60_000;

let service: RunningDeviceState;
let channels: PresenceChannels;
beforeAll(async () => {
  service = await RunningDeviceState.start();
  channels = service.service.get(PresenceChannels);
});
afterAll(() => service?.stop());

const message = <Payload>(device_id: string, at: number, sequence: number, payload: Payload) => ({
  project_id: PROJECT,
  device_id,
  payload,
  traceparent: undefined,
  at,
  sequence,
});

const report = (id: string, at: number, sequence: number, reported: JsonObject) =>
  message(id, at, sequence, { reported });

const hello = (id: string, at: number, sequence: number, agent: string, reported: JsonObject) =>
  message(id, at, sequence, { agent, reported });

/** When a row was heard last, epoch ms. */
async function lastSeen(id: string): Promise<number> {
  return Date.parse((await service.device(PROJECT, id)).last_seen ?? '');
}

/** Waits until all that was told so far of any device has been heard. */
async function untilTold(): Promise<void> {
  const marker = await service.register(PROJECT, `marker ${Date.now()}`);
  await channels.heartbeat([message(marker, Date.now(), 0, {})]);
  await vi.waitFor(() => expect(service.presenceOf(marker)).toHaveLength(1), { timeout: 10_000 });
}

describe('a message that comes again', () => {
  it('given a later report that was applied since, then the earlier one changes nothing and is counted', async () => {
    const id = await service.register(PROJECT, 'reports');
    const at = Date.now();
    const first = report(id, at, 1, { d1: 'running' });
    await channels.report([first]);
    await channels.report([report(id, at, 2, { d1: null, d2: 'running' })]);
    const before = await service.dropped('report', 'out_of_date');

    await channels.report([first]);
    expect(await service.device(PROJECT, id)).toMatchObject({ reported: { d2: 'running' }, version: 2 });
    expect(await service.dropped('report', 'out_of_date')).toBe(before + 1);
  });

  it('given a batch of old and new reports, then the new ones alone are merged', async () => {
    const id = await service.register(PROJECT, 'mixed');
    const at = Date.now();
    const old = report(id, at, 1, { a: 1 });
    await channels.report([old, report(id, at + 1, 2, { a: null, b: 1 })]);
    await channels.report([report(id, at + 2, 3, { c: 1 }), old]);
    expect((await service.device(PROJECT, id)).reported).toEqual({ b: 1, c: 1 });
  });

  it('given a later hello that was applied since, then the earlier one changes neither agent nor reported state, and nobody is told', async () => {
    const id = await service.register(PROJECT, 'hellos');
    const at = Date.now();
    const first = hello(id, at, 1, 'old', { a: 1 });
    await channels.hello([first]);
    await channels.hello([hello(id, at + 1, 2, 'new', { a: null, b: 1 })]);
    const before = await service.dropped('hello', 'out_of_date');

    await channels.hello([first]);
    expect(await service.device(PROJECT, id)).toMatchObject({ agent: { agent: 'new' }, reported: { b: 1 } });
    expect(await service.dropped('hello', 'out_of_date')).toBe(before + 1);
    await untilTold();
    expect(service.presenceOf(id)).toEqual(Array(2).fill({ online: true, version: 2 }));
  });

  it('given a stream that was made anew and counts from one, then what is said on it counts', async () => {
    const id = await service.register(PROJECT, 'anew');
    const at = Date.now();
    await channels.report([report(id, at, 5_000, { n: 1 })]);
    await channels.report([report(id, at + 1, 1, { n: 2 })]);
    expect((await service.device(PROJECT, id)).reported).toEqual({ n: 2 });
  });

  it('given a report that is applied after a hello that was said later, then neither loses what the other said', async () => {
    const id = await service.register(PROJECT, 'channels');
    const at = Date.now();
    await channels.hello([hello(id, at, 1, 'agent', { os: 'linux' })]);
    await channels.report([report(id, at - 1, 9, { deployments: { d1: 'running' } })]);
    expect((await service.device(PROJECT, id)).reported).toEqual({ os: 'linux', deployments: { d1: 'running' } });
  });
});

describe('messages that are handled at once', () => {
  it('given reports, hellos and heartbeats of the same devices, then nothing that was said is lost, and each device comes online once', async () => {
    const ids: string[] = [];
    for (let n = 0; n < 5; n++) ids.push(await service.register(PROJECT, `at once ${n}`));
    const outOfDate = async () =>
      (await service.dropped('hello', 'out_of_date')) + (await service.dropped('report', 'out_of_date'));
    const before = await outOfDate();
    const at = Date.now();
    const rounds = Array.from({ length: 12 }, (_, n) => n);
    await Promise.all(
      rounds.flatMap((n) => {
        // Every other batch names the devices the other way round.
        const batch = n % 2 === 0 ? ids : ids.toReversed();
        return [
          channels.hello(batch.map((id) => hello(id, at, n + 1, `agent ${n}`, { hellos: { [n]: true } }))),
          channels.report(batch.map((id) => report(id, at, n + 1, { reports: { [n]: true } }))),
          channels.heartbeat(batch.map((id) => message(id, at, 0, {}))),
        ];
      }),
    );
    for (const id of ids) {
      const { agent, reported, version } = await service.device(PROJECT, id);
      // What came after a later one of its channel is out of date; the last of each channel always counts.
      expect(agent).toMatchObject({ agent: 'agent 11' });
      expect(reported).toMatchObject({ hellos: { 11: true }, reports: { 11: true } });
      expect(version).toBe(2);
    }
    const merged = (await Promise.all(ids.map((id) => service.device(PROJECT, id)))).reduce(
      (sum, { reported }) =>
        sum + Object.keys(reported['hellos'] as object).length + Object.keys(reported['reports'] as object).length,
      0,
    );
    expect(merged + (await outOfDate()) - before).toBe(2 * rounds.length * ids.length);
  });
});

describe('a message that waited for longer than the silence', () => {
  it('given a device that is not online, then a hello is kept, but the device does not come online, and nobody is told', async () => {
    const id = await service.register(PROJECT, 'dead');
    const at = Date.now() - 10 * MINUTE;
    await channels.hello([hello(id, at, 1, 'agent', { a: 1 })]);
    await channels.report([report(id, at + 1, 1, { b: 1 })]);
    await channels.heartbeat([message(id, at + 2, 0, {})]);

    expect(await service.device(PROJECT, id)).toMatchObject({
      state: 'REGISTERED',
      version: 1,
      agent: { agent: 'agent' },
      reported: { a: 1, b: 1 },
    });
    expect(await lastSeen(id)).toBe(at + 2);
    await untilTold();
    expect(service.presenceOf(id)).toEqual([]);

    await channels.report([report(id, Date.now(), 2, {})]);
    expect(await service.device(PROJECT, id)).toMatchObject({ state: 'ONLINE', version: 2 });
  });

  it('given a device that is online, then its last sign of life is not taken back, and its hello is answered', async () => {
    const id = await service.register(PROJECT, 'alive');
    await channels.heartbeat([message(id, Date.now(), 0, {})]);
    const before = await lastSeen(id);
    const at = Date.now() - 10 * MINUTE;
    await channels.hello([hello(id, at, 1, 'agent', {})]);
    await channels.heartbeat([message(id, at, 0, {})]);
    expect(await lastSeen(id)).toBe(before);
    await vi.waitFor(() => expect(service.presenceOf(id)).toHaveLength(2), { timeout: 10_000 });
  });

  it('given a device whose row still says online though it was not heard since, then its old hello is not answered', async () => {
    const id = await service.register(PROJECT, 'unheard');
    await channels.heartbeat([message(id, Date.now(), 0, {})]);
    await service.query(`UPDATE device SET last_seen = now() - interval '1 hour' WHERE id = $1`, [id]);
    await channels.hello([hello(id, Date.now() - 10 * MINUTE, 1, 'agent', {})]);
    await untilTold();
    expect(service.presenceOf(id)).toHaveLength(1);
  });

  it('given a clock that is ahead, then the device counts as heard now and no later', async () => {
    const id = await service.register(PROJECT, 'ahead');
    await channels.heartbeat([message(id, Date.now() + 10 * MINUTE, 0, {})]);
    await channels.heartbeat([message(id, Date.now() + 10 * MINUTE, 0, {})]);
    expect(await lastSeen(id)).toBeLessThanOrEqual(Date.now());
    expect(await service.device(PROJECT, id)).toMatchObject({ online: true });
  });
});
