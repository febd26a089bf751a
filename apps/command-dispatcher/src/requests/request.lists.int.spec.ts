import { commandDispatcher, timelines, waitings, type WaitingEntry } from '@muster/contracts';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { PROJECT, RunningDispatcher } from '../testing/running-dispatcher.js';

let dispatcher: RunningDispatcher;

beforeAll(async () => {
  dispatcher = await RunningDispatcher.start();
});
afterAll(() => dispatcher.service.stop());

describe('lists of requests, of commands, and of what becomes of them', () => {
  it('given requests and commands, then pages of them with their counts, the latest first', async () => {
    const devices = Array.from({ length: 5 }, () => dispatcher.device(false));
    await dispatcher.create({ devices: [dispatcher.device(false)] });
    const { id } = await dispatcher.create({ devices });
    const page = (filter: object, limit: number, offset: number) =>
      dispatcher.service.call(commandDispatcher.listCommands, { project_id: PROJECT, limit, offset, ...filter });
    const all = await page({ request: [id] }, 10, 0);
    expect(all.count).toBe(5);
    const ids = all.commands.map((command) => command.id);
    expect(ids).toEqual([...ids].sort().reverse());
    expect((await page({ request: [id] }, 2, 2)).commands.map((command) => command.id)).toEqual(ids.slice(2, 4));
    expect(await page({ request: [id], state: ['SUCCESS'] }, 2, 0)).toEqual({ count: 0, commands: [] });
    expect((await page({ request: [id], state: ['QUEUED', 'QUEUED'] }, 2, 0)).count).toBe(5);
    expect((await page({ device: [devices[0]!] }, 2, 0)).count).toBe(1);
    const requests = await dispatcher.service.call(commandDispatcher.listCommandRequests, {
      project_id: PROJECT,
      limit: 1,
      offset: 0,
    });
    expect(requests.requests.map((request) => request.id)).toEqual([id]);
    expect(requests.count).toBe(2);
  });

  it('given more than one answer can carry, then a page has as many as fit, and the next begins after them', async () => {
    const devices = Array.from({ length: 12 }, () => dispatcher.device(false));
    const args = { blob: 'x'.repeat(100_000) };
    const { id } = await dispatcher.create({ devices, args });
    await Promise.all(Array.from({ length: 11 }, () => dispatcher.create({ devices, args })));
    const commands = await dispatcher.service.call(commandDispatcher.listCommands, {
      project_id: PROJECT,
      request: [id],
      limit: 20,
      offset: 0,
    });
    expect(commands.count).toBe(12);
    expect(commands.commands).toHaveLength(5);
    const list = (offset: number) =>
      dispatcher.service.call(commandDispatcher.listCommandRequests, { project_id: PROJECT, limit: 20, offset });
    const { requests } = await list(0);
    expect(requests).toHaveLength(5);
    const ids = [...requests, ...(await list(5)).requests].map((request) => request.id);
    expect(new Set(ids).size).toBe(10);
    expect(ids).toEqual([...ids].sort().reverse());
  });

  it('given a request for many listed devices, then the list shows a few of them', async () => {
    const devices = Array.from({ length: 21 }, () => dispatcher.device(false));
    const shown = async (some: string[]) => {
      await dispatcher.create({ devices: some });
      const asked = { project_id: PROJECT, limit: 1, offset: 0 };
      return (await dispatcher.service.call(commandDispatcher.listCommandRequests, asked)).requests[0];
    };
    expect(await shown(devices)).toMatchObject({ devices: devices.slice(0, 20), devices_truncated: true });
    expect(await shown(devices.slice(1))).toMatchObject({ devices: devices.slice(1), devices_truncated: false });
  });

  it('given a command that went through states, then its device’s timeline has each of them, newest first, and pages meet without a gap', async () => {
    const device = dispatcher.device();
    await dispatcher.create({ devices: [device] });
    const [sent] = await dispatcher.sentTo(device, 1);
    dispatcher.status(device, { command_id: sent!.command_id, status: 'acknowledged' });
    await dispatcher.reached(sent!.command_id, 'ACKNOWLEDGED');
    dispatcher.status(device, { command_id: sent!.command_id, status: 'failure', reason: 'broken', code: 'exit_1' });
    await dispatcher.reached(sent!.command_id, 'FAILURE');
    await dispatcher.create({ devices: [device], command: 'other' });
    await dispatcher.sentTo(device, 2);
    const timeline = async (limit: number, before?: { at: string; id: string }) =>
      (
        await dispatcher.service.call(timelines['command-dispatcher'], {
          project_id: PROJECT,
          device_id: device,
          limit,
          ...(before && { before }),
        })
      ).entries;
    const whole = await timeline(100);
    expect(whole.map((entry) => entry.state).slice(0, 2)).toEqual(['INITIATED', 'QUEUED']);
    expect(whole[2]).toMatchObject({ entity: 'command', entity_id: sent!.command_id });
    expect(whole.slice(2, 4)).toMatchObject([
      { state: 'FAILURE', reason: 'broken', detail: { code: 'exit_1', command: 'ping' } },
      { state: 'ACKNOWLEDGED' },
    ]);
    const paged = [];
    for (let last: { at: string; id: string } | undefined; ;) {
      const page = await timeline(1, last);
      if (page.length === 0) break;
      paged.push(...page);
      last = { at: page.at(-1)!.at, id: page.at(-1)!.id };
    }
    expect(paged).toEqual(whole);
    expect(new Set(paged.map((entry) => entry.id)).size).toBe(whole.length);
  });

  it('given a device that goes offline with a command in flight, then the command waits for it to come back', async () => {
    const device = dispatcher.device();
    const { id } = await dispatcher.commandFor(device);
    await dispatcher.sentTo(device, 1);
    const words = async () => {
      const asked = { project_id: PROJECT, limit: 1000 };
      const { entries } = await dispatcher.service.call(waitings['command-dispatcher'], asked);
      return [(await dispatcher.command(id)).waits_for, entries.find((entry) => entry.id === id)?.waits_for];
    };
    expect(await words()).toEqual(['answer', 'answer']);
    await dispatcher.presence(device, false);
    await vi.waitUntil(async () => (await words()).every((word) => word === 'offline'));
    expect((await dispatcher.command(id)).state).toBe('INITIATED');
    await dispatcher.presence(device, true);
    await vi.waitUntil(async () => (await words()).every((word) => word === 'answer'));
  });

  it('given commands that wait, then they are listed by their next time, with what they wait for', async () => {
    const device = dispatcher.device();
    await dispatcher.create({ devices: [device] });
    await dispatcher.create({ devices: [device] });
    await dispatcher.sentTo(device, 1);
    const seen: WaitingEntry[] = [];
    for (let after: { due_at: string | null; id: string } | undefined; ;) {
      const { entries } = await dispatcher.service.call(waitings['command-dispatcher'], {
        project_id: PROJECT,
        limit: 500,
        ...(after && { after }),
      });
      if (entries.length === 0) break;
      seen.push(...entries);
      after = { due_at: entries.at(-1)!.due_at, id: entries.at(-1)!.id };
    }
    expect(seen.filter((entry) => entry.device_id === device).map((entry) => entry.waits_for)).toEqual([
      'answer',
      'in_flight',
    ]);
    expect(new Set(seen.map((entry) => entry.id)).size).toBe(seen.length);
    const times = seen.map((entry) => entry.due_at);
    expect(times).toEqual([...times].sort());
  });
});
