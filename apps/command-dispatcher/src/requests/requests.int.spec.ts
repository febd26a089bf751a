import { commandDispatcher, MAX_DOCUMENT_BYTES, type DeviceQuery, type NewCommandRequest } from '@muster/contracts';
import { setImmediate } from 'node:timers/promises';
import { v7 as uuid } from 'uuid';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { ACTOR, PROJECT, RunningDispatcher } from '../testing/running-dispatcher.js';
import { RequestExpand } from './request.expand.js';

let dispatcher: RunningDispatcher;

beforeAll(async () => {
  dispatcher = await RunningDispatcher.start();
});
afterAll(() => dispatcher.service.stop());

const document = (id: string) =>
  dispatcher.service.call(commandDispatcher.getCommandRequest, { project_id: PROJECT, id });

async function reachedStatus(id: string, status: string): Promise<void> {
  await vi.waitUntil(async () => (await document(id)).request_status === status, { timeout: 15_000, interval: 20 });
}

/** What a count of the rows says, in the form of the kept counts. */
async function recounted(id: string): Promise<Record<string, number>> {
  const rows = await dispatcher.service.query<{ state: string; n: number }>(
    `SELECT state, count(*)::integer AS n FROM command WHERE request_id = $1 GROUP BY state`,
    [id],
  );
  const counts = Object.fromEntries(rows.map(({ state, n }) => [state, n]));
  return { total: rows.reduce((sum, { n }) => sum + n, 0), ...counts };
}

async function keptCounts(id: string): Promise<Record<string, number>> {
  const { total, ...states } = await dispatcher.stats(id);
  return { total, ...Object.fromEntries(Object.entries(states).filter(([, n]) => n > 0)) };
}

describe('a request of a user for listed devices', () => {
  it('given two devices, then each gets one command, the document tells what was asked, and its counts follow', async () => {
    const [one, other] = [dispatcher.device(), dispatcher.device(false)];
    const request = await dispatcher.create({ devices: [one, other, one.toUpperCase()], args: { a: 1 }, priority: 3 });
    expect(request).toMatchObject({
      command: 'ping',
      command_type: 'DEVICE',
      device_type: 'all',
      devices: [one, other],
      schedule: 'IMMEDIATE',
      args: { a: 1 },
      priority: 3,
      request_status: 'running',
      created_by: ACTOR,
    });
    expect(await dispatcher.sentTo(one, 1)).toMatchObject([{ command: 'ping', args: { a: 1 }, fence: 1 }]);
    expect(await keptCounts(request.id)).toEqual({ total: 2, INITIATED: 1, QUEUED: 1 });
    const commands = await dispatcher.commandsOf(request.id);
    expect(commands.map((command) => command.waits_for).sort()).toEqual(['answer', 'offline']);
    await dispatcher.presence(other, true);
    await dispatcher.sentTo(other, 1);
    for (const command of commands) dispatcher.status(command.device_id, { command_id: command.id, status: 'success' });
    await reachedStatus(request.id, 'complete');
    expect(await keptCounts(request.id)).toEqual({ total: 2, SUCCESS: 2 });
  });

  it('given the same id again, then the same request; given another body, then it is refused', async () => {
    const [device, id] = [dispatcher.device(false), uuid()];
    const first = await dispatcher.create({ devices: [device] }, { id });
    expect(await dispatcher.create({ devices: [device] }, { id })).toEqual(first);
    await expect(dispatcher.create({ devices: [device], command: 'other' }, { id })).rejects.toMatchObject({
      kind: 'conflict',
    });
    expect(await dispatcher.commandsOf(id)).toHaveLength(1);
  });

  it('given a device_type, then the request is for those devices alone that are online, or are not', async () => {
    const [online, offline] = [dispatcher.device(), dispatcher.device(false)];
    const active = await dispatcher.create({ devices: [online, offline], device_type: 'active' });
    const inactive = await dispatcher.create({ devices: [online, offline], device_type: 'inactive' });
    expect((await dispatcher.commandsOf(active.id)).map((command) => command.device_id)).toEqual([online]);
    expect((await dispatcher.commandsOf(inactive.id)).map((command) => command.device_id)).toEqual([offline]);
  });

  it('given a device_type beside a query that names presence itself, then both must fit', async () => {
    const [online, offline] = [dispatcher.device(), dispatcher.device(false)];
    const group = dispatcher.group([online, offline]);
    const devicesOf = async (query: DeviceQuery) => {
      const { id } = await dispatcher.create({ command_type: 'DYNAMIC', device_type: 'inactive', query });
      await vi.waitUntil(async () => (await document(id)).request_status !== 'pending');
      return (await dispatcher.commandsOf(id)).map((command) => command.device_id);
    };
    expect(await devicesOf({ group })).toEqual([offline]);
    expect(await devicesOf({ group, online: false })).toEqual([offline]);
    expect(await devicesOf({ group, online: true })).toEqual([]);
  });

  it.each<[string, Partial<NewCommandRequest>, RegExp]>([
    ['no devices', {}, /^devices: is required for DEVICE/],
    ['a query with DEVICE', { devices: [uuid()], query: { online: true } }, /^query: does not go with DEVICE/],
    ['GROUP without groups', { command_type: 'GROUP', devices: [uuid()] }, /^devices: does not go with GROUP/],
    ['DYNAMIC without a query', { command_type: 'DYNAMIC' }, /^query: is required for DYNAMIC/],
    ['an unknown group', { command_type: 'GROUP', groups: [uuid()] }, /^groups: no group/],
    ['unknown groups', { command_type: 'GROUP', groups: [uuid(), uuid()], device_type: 'active' }, /^groups: no group/],
    [
      'an unknown group in a query',
      { command_type: 'DYNAMIC', query: { group: uuid() }, device_type: 'active' },
      /^query.group: no group/,
    ],
    ['ten thousand and one ids', { devices: Array.from({ length: 10_001 }, () => uuid()) }, /^request.devices/],
    ['an unknown field', { surprise: 1 } as object, /^request.surprise: unknown field/],
    ['a time that is over', { devices: [uuid()], expires_at: '2020-01-01T00:00:00Z' }, /^expires_at: is in the past/],
    [
      'a time after the last year',
      { devices: [uuid()], expires_at: '9999-12-31T23:59:59-12:00' },
      /^request.expires_at/,
    ],
    [
      'args that are larger than a document may be',
      { devices: [uuid()], args: { padding: 'x'.repeat(MAX_DOCUMENT_BYTES) } },
      /^args: is larger than 262144 bytes/,
    ],
    ['no windows', { devices: [uuid()], schedule: 'WINDOW' }, /^schedule_args: is required for WINDOW/],
    [
      'windows that end before they start',
      {
        devices: [uuid()],
        schedule: 'WINDOW',
        schedule_args: { start_datetime: '2099-01-02T00:00:00Z', end_datetime: '2099-01-01T00:00:00Z' },
      },
      /^schedule_args.end_datetime/,
    ],
    [
      'a first window that opens only when the command has expired',
      {
        devices: [uuid()],
        schedule: 'RECURRING',
        schedule_args: { start_datetime: '2099-01-02T00:00:00Z' },
        expires_at: '2099-01-02T00:00:00Z',
      },
      /^expires_at: is before any window opens, which is not before 2099-01-02T00:00:00.000Z$/,
    ],
    [
      'a first window that opens in no time zone before the command has expired',
      {
        devices: [uuid()],
        schedule: 'WINDOW',
        schedule_args: {
          start_datetime: '2099-01-01T12:00:00Z',
          end_datetime: '2099-02-01T00:00:00Z',
          time_type: 'device',
          // 2099-01-03 is a Saturday; it comes to the easternmost at 10:00Z of the day before.
          days: [5],
        },
        expires_at: '2099-01-02T08:00:00Z',
      },
      /^expires_at: is before any window opens, which is not before 2099-01-02T09:00:00.000Z$/,
    ],
    ['a retry out of range', { devices: [uuid()], retry: [{ outcome: 'any', max: 0 }] }, /^request.retry.0.max/],
  ])('given %s, then it is refused naming the field', async (_what, request, message) => {
    await expect(dispatcher.create(request)).rejects.toThrow(message);
  });

  it('given a device that does not exist among others, then it is refused naming it, and nothing is created', async () => {
    const [known, unknown, id] = [dispatcher.device(), uuid(), uuid()];
    await expect(dispatcher.create({ devices: [known, unknown] }, { id })).rejects.toThrow(
      `devices: no such device: ${unknown}`,
    );
    await expect(document(id)).rejects.toMatchObject({ kind: 'not_found' });
  });
});

describe('a request of a user for many devices', () => {
  it('given 1,700 devices of two groups that overlap, and a restart meanwhile, then each gets exactly one command', async () => {
    const devices = Array.from({ length: 1_700 }, () => dispatcher.device(false));
    const groups = [dispatcher.group(devices.slice(0, 1_000)), dispatcher.group(devices.slice(900))];
    const request = await dispatcher.create({ command_type: 'GROUP', groups });
    expect(request.request_status).toBe('pending');
    await dispatcher.service.restart();
    await dispatcher.service.query(`UPDATE user_request SET due_at = now() WHERE due_at IS NOT NULL`);
    await reachedStatus(request.id, 'running');
    const rows = await dispatcher.service.query<{ device_id: string }>(
      `SELECT device_id FROM command WHERE request_id = $1`,
      [request.id],
    );
    expect(rows.map((row) => row.device_id).sort()).toEqual([...devices].sort());
    expect(await keptCounts(request.id)).toEqual({ total: 1_700, QUEUED: 1_700 });

    await dispatcher.cancelRequest(request.id);
    await vi.waitUntil(async () => (await dispatcher.stats(request.id)).CANCELLED === 1_700, { timeout: 20_000 });
    expect(await recounted(request.id)).toEqual(await keptCounts(request.id));
  });

  it('given ten thousand listed devices, then all of them are accepted', async () => {
    const devices = Array.from({ length: 10_000 }, () => dispatcher.device(false));
    const request = await dispatcher.create({ devices });
    expect(request).toMatchObject({ devices_truncated: true, request_status: 'pending' });
    expect(request.devices).toHaveLength(1_000);
    await dispatcher.cancelRequest(request.id);
    await vi.waitUntil(
      async () => {
        const { total, CANCELLED } = await dispatcher.stats(request.id);
        return total === CANCELLED;
      },
      { timeout: 20_000 },
    );
    expect((await document(request.id)).request_status).toBe('cancelled');
  });

  it('given one whose devices come to no end, then another one is carried out beside it', async () => {
    const expand = dispatcher.service.get(RequestExpand);
    const nextPage = expand.nextPage.bind(expand);
    const endless = uuid();
    const pages = vi
      .spyOn(expand, 'nextPage')
      .mockImplementation((request) => (request.id === endless ? setImmediate() : nextPage(request)));
    const groups = [dispatcher.group([dispatcher.device(false)])];
    await dispatcher.create({ command_type: 'GROUP', groups }, { id: endless });
    await vi.waitUntil(() => pages.mock.calls.length > 1);
    const { id } = await dispatcher.create({ command_type: 'GROUP', groups });
    await reachedStatus(id, 'running');
    expect(await document(endless)).toMatchObject({ request_status: 'pending' });
    pages.mockRestore();
    await reachedStatus(endless, 'running');
  });

  it('given a group that is deleted before all of its commands are made, then it is cancelled, those that were made too, and says which group', async () => {
    const group = dispatcher.group(Array.from({ length: 600 }, () => dispatcher.device(false)));
    const expand = dispatcher.service.get(RequestExpand);
    const nextPage = expand.nextPage.bind(expand);
    const pages = vi.spyOn(expand, 'nextPage').mockImplementation(async (request) => {
      await nextPage(request);
      dispatcher.groups.delete(group);
    });
    const schedule = { schedule: 'RECURRING', schedule_args: { window_start_time: '02:00' } } as const;
    const { id } = await dispatcher.create({ command_type: 'GROUP', groups: [group], ...schedule });
    await reachedStatus(id, 'cancelled');
    pages.mockRestore();
    expect(await document(id)).toMatchObject({ request_status_reason: `groups: no group ${group}` });
    await vi.waitUntil(async () => (await dispatcher.stats(id)).CANCELLED === 500);
    expect(await keptCounts(id)).toEqual({ total: 500, CANCELLED: 500 });
  });

  it('given a query that means nobody, then the request is complete', async () => {
    const group = dispatcher.group([]);
    const request = await dispatcher.create({ command_type: 'DYNAMIC', query: { group } });
    await reachedStatus(request.id, 'complete');
    expect(await keptCounts(request.id)).toEqual({ total: 0 });
  });
});

describe('the counts of a request', () => {
  it('given a storm of answers, cancels and presence, then they are what a recount says', async () => {
    const devices = Array.from({ length: 120 }, (_, index) => dispatcher.device(index % 5 > 0));
    const requests = await Promise.all(
      Array.from({ length: 3 }, () =>
        dispatcher.create({ devices, retry: [{ outcome: 'failed', code: 'again', max: 2, backoff_seconds: 0 }] }),
      ),
    );
    const answers = [
      { status: 'acknowledged' },
      { status: 'inprogress' },
      { status: 'success' },
      { status: 'failure', code: 'again' },
      { status: 'failure', code: 'broken' },
    ] as const;
    const sentToThem = () => dispatcher.sent.filter(({ device_id }) => devices.includes(device_id)).length;
    let said = dispatcher.sent.length - sentToThem();
    const online = devices.filter((device) => dispatcher.devices.get(device)!.online).length;
    await vi.waitUntil(() => sentToThem() >= online);
    for (let round = 0; round < 30; round++) {
      const unanswered = dispatcher.sent.slice(said);
      said += unanswered.length;
      for (const [index, { device_id, command_id, fence }] of unanswered.entries())
        dispatcher.status(device_id, { command_id, fence, ...answers[(index + round) % answers.length]! });
      await Promise.all(devices.slice(round * 4, round * 4 + 4).map((device) => dispatcher.presence(device, true)));
      if (round === 10) await dispatcher.cancelRequest(requests[0]!.id);
    }
    await vi.waitUntil(async () => {
      const rows = await dispatcher.service.query<{ state: string }>(
        `SELECT DISTINCT state FROM command WHERE request_id = ANY($1)`,
        [requests.map((request) => request.id)],
      );
      const states = new Set(rows.map((row) => row.state));
      return ['SUCCESS', 'FAILURE', 'CANCELLED'].every((state) => states.has(state));
    });
    for (const { id } of requests) {
      await vi.waitUntil(async () => {
        const [kept, rows] = [await keptCounts(id), await recounted(id)];
        return JSON.stringify(Object.entries(kept).sort()) === JSON.stringify(Object.entries(rows).sort());
      });
      expect((await dispatcher.stats(id)).total).toBe(devices.length);
    }
  });
});

describe('cancel', () => {
  it('given commands in every open state, then what waits ends at once, what is in flight by the device’s word, and again changes nothing', async () => {
    const [idle, away] = [dispatcher.device(), dispatcher.device(false)];
    const { id } = await dispatcher.create({ devices: [idle, away] });
    await dispatcher.sentTo(idle, 1);
    const document = await dispatcher.cancelRequest(id);
    expect(document).toMatchObject({ request_status: 'cancelled', request_status_reason: 'no longer wanted' });
    expect(await keptCounts(id)).toEqual({ total: 2, CANCELLED: 1, INITIATED: 1 });
    await vi.waitUntil(() => dispatcher.cancels.some((message) => message.device_id === idle));
    const running = (await dispatcher.commandsOf(id)).find((command) => command.device_id === idle)!;
    dispatcher.status(idle, { command_id: running.id, status: 'failure', code: 'cancelled' });
    await dispatcher.reached(running.id, 'CANCELLED');
    expect(await dispatcher.cancelRequest(id, 'again')).toMatchObject({ request_status_reason: 'no longer wanted' });
  });

  it('given a request all of whose commands have ended, then it stays complete', async () => {
    const device = dispatcher.device();
    const { id } = await dispatcher.commandFor(device);
    await dispatcher.sentTo(device, 1);
    dispatcher.status(device, { command_id: id, status: 'success' });
    const { request_id } = await dispatcher.reached(id, 'SUCCESS');
    const document = await dispatcher.cancelRequest(request_id);
    expect(document).toMatchObject({ request_status: 'complete', request_status_reason: '' });
  });

  it('given one command, then it alone is cancelled, and one that has ended stays as it is', async () => {
    const devices = [dispatcher.device(false), dispatcher.device(false)];
    const { id } = await dispatcher.create({ devices });
    const [first] = await dispatcher.commandsOf(id);
    const cancel = (reason: string) =>
      dispatcher.service.call(commandDispatcher.cancelCommand, { project_id: PROJECT, id: first!.id, reason });
    expect(await cancel('not this one')).toMatchObject({ state: 'CANCELLED', reason: 'not this one' });
    expect(await cancel('again')).toMatchObject({ state: 'CANCELLED', reason: 'not this one' });
    expect(await keptCounts(id)).toEqual({ total: 2, CANCELLED: 1, QUEUED: 1 });
  });
});
