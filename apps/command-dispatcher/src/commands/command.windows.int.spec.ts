import type { NewCommandRequest } from '@muster/contracts';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { RunningDispatcher } from '../testing/running-dispatcher.js';
import { CommandSweep } from './command.sweep.js';

const MINUTE_MS = 60_000;

let dispatcher: RunningDispatcher;

beforeAll(async () => {
  dispatcher = await RunningDispatcher.start();
});
afterAll(() => dispatcher.service.stop());

const sentOf = (id: string) => dispatcher.sent.filter((message) => message.command_id === id);

describe('windows', () => {
  const at = (ms: number) => new Date(Date.now() + ms).toISOString();
  const schedule = (opens: number, closes: number, recurring = false): Partial<NewCommandRequest> => ({
    schedule: recurring ? 'RECURRING' : 'WINDOW',
    schedule_args: { start_datetime: at(opens), end_datetime: at(closes) },
  });

  it('given a window that opens soon, then the command waits SCHEDULED and is sent when it opens, and no sooner', async () => {
    const device = dispatcher.device();
    const opens = Date.now() + 1_500;
    const command = await dispatcher.commandFor(device, schedule(1_500, MINUTE_MS));
    expect(command).toMatchObject({ state: 'SCHEDULED', waits_for: 'window' });
    await dispatcher.sentTo(device, 1);
    expect(Date.now()).toBeGreaterThanOrEqual(opens - 10);
    const states = (await dispatcher.reached(command.id, 'INITIATED')).activity.map((entry) => entry.state);
    expect(states).toEqual(['QUEUED', 'SCHEDULED', 'QUEUED', 'INITIATED']);
  });

  it('given an open window, then it is sent at once; given a device that stays away until it closes, then it times out as missed and is not sent after', async () => {
    const [here, away] = [dispatcher.device(), dispatcher.device(false)];
    const open = await dispatcher.commandFor(here, schedule(-MINUTE_MS, MINUTE_MS));
    await dispatcher.sentTo(here, 1);
    expect(open.state).toBe('INITIATED');
    const missed = await dispatcher.commandFor(away, schedule(-MINUTE_MS, 1_000));
    expect(await dispatcher.reached(missed.id, 'TIMEOUT')).toMatchObject({ code: 'window_missed' });
    await dispatcher.presence(away, true);
    const next = await dispatcher.commandFor(away);
    expect((await dispatcher.sentTo(away, 1)).map((message) => message.command_id)).toEqual([next.id]);
  });

  it('given windows on each device’s own clock, then a device where it is open is sent its command, and one half a day ahead waits for half a day', async () => {
    const [here, ahead] = [dispatcher.device(true, 'UTC'), dispatcher.device(true, 'Etc/GMT-12')];
    const timeOfDay = (ms: number) => at(ms).slice(11, 19);
    const { id } = await dispatcher.create({
      devices: [here, ahead],
      schedule: 'WINDOW',
      schedule_args: {
        end_datetime: at(48 * 60 * MINUTE_MS),
        time_type: 'device',
        window_start_time: timeOfDay(-60 * MINUTE_MS),
        window_end_time: timeOfDay(60 * MINUTE_MS),
      },
    });
    await dispatcher.sentTo(here, 1);
    const commands = await dispatcher.commandsOf(id);
    const waiting = commands.find((command) => command.device_id === ahead)!;
    expect(waiting).toMatchObject({ state: 'SCHEDULED', waits_for: 'window' });
    const hours = (Date.parse(waiting.due_at!) - Date.now()) / (60 * MINUTE_MS);
    expect(hours).toBeGreaterThan(10.9);
    expect(hours).toBeLessThan(11.1);
    expect(dispatcher.sent.some((message) => message.device_id === ahead)).toBe(false);
  });

  it('given a window that closes with others to come, then the command waits for the next one', async () => {
    const away = dispatcher.device(false);
    const timeOfDay = (ms: number) => at(ms).slice(11, 19);
    const command = await dispatcher.commandFor(away, {
      schedule: 'WINDOW',
      schedule_args: {
        end_datetime: at(48 * 60 * MINUTE_MS),
        window_start_time: timeOfDay(120 * MINUTE_MS),
        window_end_time: timeOfDay(180 * MINUTE_MS),
      },
    });
    await dispatcher.service.query(
      `UPDATE command SET window_opens = now(), window_closes = now(), due_at = now() WHERE id = $1`,
      [command.id],
    );
    await vi.waitUntil(async () => (await dispatcher.command(command.id)).activity.length === 4, { timeout: 10_000 });
    const waiting = await dispatcher.command(command.id);
    expect(waiting.activity.map((entry) => entry.state)).toEqual(['QUEUED', 'SCHEDULED', 'QUEUED', 'SCHEDULED']);
    expect(waiting).toMatchObject({ waits_for: 'window', reason: 'its window closed before it was sent' });
    expect(waiting.due_at!.slice(0, 19)).toBe(command.due_at!.slice(0, 19));
  });

  it('given a command that its device never took before the window closed, then its hello does not bring it again', async () => {
    const device = dispatcher.device();
    const command = await dispatcher.commandFor(device, schedule(-MINUTE_MS, MINUTE_MS));
    await dispatcher.sentTo(device, 1);
    await dispatcher.service.query(`UPDATE command SET window_closes = now() WHERE id = $1`, [command.id]);
    await dispatcher.presence(device, true);
    const beside = await dispatcher.commandFor(device, { concurrent: true });
    await vi.waitUntil(() => sentOf(beside.id).length === 1);
    expect(sentOf(command.id)).toHaveLength(1);
  });

  it('given a recurring request, then each end brings a successor for the next window, and none after its cancel', async () => {
    const device = dispatcher.device();
    const { id } = await dispatcher.create({
      devices: [device],
      schedule: 'RECURRING',
      schedule_args: { start_datetime: at(-MINUTE_MS) },
    });
    const opened = async () => {
      await dispatcher.service.query(
        `UPDATE command SET due_at = now(), window_opens = now() WHERE request_id = $1 AND state = 'SCHEDULED'`,
        [id],
      );
      await dispatcher.service.get(CommandSweep).step();
    };
    for (const round of [1, 2]) {
      if (round === 2) await opened();
      const message = (await dispatcher.sentTo(device, round))[round - 1]!;
      dispatcher.status(device, { command_id: message.command_id, fence: message.fence, status: 'success' });
      await vi.waitUntil(async () => (await dispatcher.stats(id)).SUCCESS === round);
      expect(await dispatcher.stats(id)).toMatchObject({ total: round + 1, SCHEDULED: 1 });
    }
    await dispatcher.cancelRequest(id);
    expect(await dispatcher.stats(id)).toMatchObject({ total: 3, SUCCESS: 2, CANCELLED: 1 });
  });

  it('given a recurring request whose commands end while it is cancelled, then nothing of it goes on', async () => {
    for (let round = 0; round < 4; round++) {
      const devices = Array.from({ length: 30 }, () => dispatcher.device());
      const { id } = await dispatcher.create({
        devices,
        schedule: 'RECURRING',
        schedule_args: { start_datetime: at(-MINUTE_MS) },
      });
      const commands = await dispatcher.commandsOf(id);
      for (const device of devices) await dispatcher.sentTo(device, 1);
      for (const command of commands)
        dispatcher.status(command.device_id, { command_id: command.id, fence: 1, status: 'success' });
      await dispatcher.cancelRequest(id);
      await vi.waitUntil(
        async () => {
          const { total, SUCCESS, CANCELLED } = await dispatcher.stats(id);
          return total === SUCCESS + CANCELLED;
        },
        { timeout: 15_000 },
      );
    }
  });
});

describe('expiry', () => {
  it('given a time after which it is of no use, then it times out there as never contacted', async () => {
    const away = dispatcher.device(false);
    const command = await dispatcher.commandFor(away, { expires_at: new Date(Date.now() + 1_000).toISOString() });
    expect(await dispatcher.reached(command.id, 'TIMEOUT')).toMatchObject({ reason: 'never_contacted' });
  });
});
