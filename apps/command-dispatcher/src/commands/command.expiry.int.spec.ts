import { v7 as uuid } from 'uuid';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { newItem, RunningDispatcher } from '../testing/running-dispatcher.js';

let dispatcher: RunningDispatcher;

beforeAll(async () => {
  dispatcher = await RunningDispatcher.start();
});
afterAll(() => dispatcher.service.stop());

const at = (seconds: number) => new Date(Date.now() + seconds * 1000).toISOString();

describe('the time until which one command of a request may wait', () => {
  it('given that it comes, then this command was never contacted, and the others wait on', async () => {
    const device = dispatcher.device(false);
    const [soon, later] = [newItem(device, { expires_at: at(1) }), newItem(device)];
    await dispatcher.ask([soon, later]);
    const ended = await dispatcher.reached(soon.command_id, 'TIMEOUT');
    expect(ended).toMatchObject({ code: 'never_contacted', attempt: 0 });
    expect(Date.parse(ended.updated_at)).toBeGreaterThanOrEqual(Date.parse(soon.expires_at!));
    expect((await dispatcher.command(later.command_id)).state).toBe('QUEUED');
  });

  it('given that it has come before the request, then an idle device gets the next one of the batch instead', async () => {
    const device = dispatcher.device();
    const [over, next] = [newItem(device, { expires_at: at(-1) }), newItem(device, { expires_at: at(60) })];
    await dispatcher.ask([over, next]);
    expect(await dispatcher.reached(over.command_id, 'TIMEOUT')).toMatchObject({ code: 'never_contacted', attempt: 0 });
    expect(await dispatcher.sentTo(device, 1)).toMatchObject([{ command_id: next.command_id, attempt: 1 }]);
  });

  it('given what the request says as well, then the earliest of all counts', async () => {
    const [early, middle, late] = [at(100), at(200), at(300)];
    const expiryOf = async (expires_at: string | undefined, head: string | undefined, offline_seconds: number) => {
      const item = newItem(dispatcher.device(false), expires_at === undefined ? {} : { expires_at });
      await dispatcher.ask([item], { offline_seconds, terms: head === undefined ? {} : { expires_at: head } });
      return (await dispatcher.reached(item.command_id, 'QUEUED')).due_at;
    };
    expect(await expiryOf(early, middle, 250)).toBe(early);
    expect(await expiryOf(late, middle, 250)).toBe(middle);
    expect(await expiryOf(undefined, middle, 250)).toBe(middle);
    expect(await expiryOf(middle, undefined, 250)).toBe(middle);
    const bySeconds = Date.parse((await expiryOf(late, undefined, 100))!);
    expect(bySeconds).toBeLessThan(Date.parse(middle));
  });

  it('given a request with a window, then what waits for the opening, and in the queue, waits until then at the latest', async () => {
    const [first, last] = [at(100), at(300)];
    const inWindow = async (start: string, expires_at: string) => {
      const item = newItem(dispatcher.device(false), { expires_at });
      const args = { start_datetime: start, end_datetime: at(200) };
      const schedule = { schedule: 'WINDOW' as const, args, console_timezone: 'UTC' };
      await dispatcher.ask([item], { request_id: uuid(), terms: { schedule } });
      await expect.poll(() => dispatcher.command(item.command_id).catch(() => undefined)).toBeDefined();
      const { state, due_at } = await dispatcher.command(item.command_id);
      return { state, due_at };
    };
    const opening = at(150);
    expect(await inWindow(opening, first)).toEqual({ state: 'SCHEDULED', due_at: first });
    expect(await inWindow(opening, last)).toEqual({ state: 'SCHEDULED', due_at: opening });
    expect(await inWindow(at(-10), first)).toEqual({ state: 'QUEUED', due_at: first });
  });
});
