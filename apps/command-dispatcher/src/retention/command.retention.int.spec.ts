import { commandWork } from '@muster/contracts';
import { v7 as uuid } from 'uuid';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { PROJECT, RunningDispatcher } from '../testing/running-dispatcher.js';
import { CommandRetention } from './command.retention.js';
import { CommandRetentionStore, firstIdAt } from './command-retention.store.js';

const DAY_MS = 86_400_000;
const NONE = { commands: 0, requests: 0, marks: 0 };

let dispatcher: RunningDispatcher;

beforeAll(async () => {
  dispatcher = await RunningDispatcher.start();
});
afterAll(() => dispatcher.service.stop());
afterEach(() =>
  dispatcher.service.query('TRUNCATE command, command_request, command_cancel, lane, user_request, request_count'),
);

const inDays = (days: number) => Date.now() + days * DAY_MS;
const pass = (now: number) => dispatcher.service.get(CommandRetention).pass(now);
const count = async (table: string) => {
  const [row] = await dispatcher.service.query<{ n: number }>(`SELECT count(*)::integer AS n FROM ${table}`);
  return row!.n;
};

async function ended(device: string, request_id = uuid()): Promise<string> {
  const sent = dispatcher.sent.filter((message) => message.device_id === device).length;
  const [id] = (await dispatcher.request([device], { request_id })) as [string];
  const fence = (await dispatcher.sentTo(device, sent + 1))[sent]!.fence;
  dispatcher.status(device, { command_id: id, fence, status: 'success' });
  await dispatcher.reached(id, 'SUCCESS');
  return id;
}

/** Commands as they are after their end, asked for and ended so many days ago. */
const pastCommands = (request_id: string, days: number, rows: number) =>
  dispatcher.service.query(
    `INSERT INTO command (project_id, id, state, version, state_at, request_id, device_id, ref, args, priority, in_progress_seconds, offline_seconds, expires_at)
     SELECT $1, (left($2, 24) || lpad(to_hex(n), 12, '0'))::uuid, 'SUCCESS', 3, $3, $4, gen_random_uuid(), gen_random_uuid(), '{}', 0, 60, 60, $3
     FROM generate_series(1, $5::integer) n`,
    [PROJECT, firstIdAt(new Date(inDays(-days))), new Date(inDays(-days)), request_id, rows],
  );

describe('commands, whose history is kept 30 days', () => {
  it('given one that ended and others that wait or run, then after 30 days the first goes, and no sooner', async () => {
    const [idle, busy, away] = [dispatcher.device(), dispatcher.device(), dispatcher.device(false)];
    const request_id = uuid();
    const old = await ended(idle, request_id);
    const [running, waiting] = (await dispatcher.request([busy, away], { request_id })) as [string, string];
    await dispatcher.sentTo(busy, 1);
    await dispatcher.reached(waiting, 'QUEUED');

    expect(await pass(inDays(29.9))).toEqual(NONE);
    expect(await pass(inDays(30.1))).toEqual({ ...NONE, commands: 1 });
    await expect(dispatcher.command(old)).rejects.toMatchObject({ kind: 'not_found' });

    dispatcher.status(busy, { command_id: running, status: 'success' });
    expect(await dispatcher.reached(running, 'SUCCESS')).toMatchObject({ request_id });
    await dispatcher.presence(away, true);
    await dispatcher.sentTo(away, 1);
    dispatcher.status(away, { command_id: waiting, status: 'success' });
    await dispatcher.reached(waiting, 'SUCCESS');
    expect(await dispatcher.outcome(waiting)).toEqual(['SUCCESS']);
  });

  it('given a request of which no command is left, then it goes a day later', async () => {
    await ended(dispatcher.device());
    expect(await pass(inDays(30.5))).toEqual({ ...NONE, commands: 1 });
    expect(await pass(inDays(31.5))).toEqual({ ...NONE, requests: 1 });
    expect(await count('command_request')).toBe(0);
  });

  it('given an old request that has a command left, or that commands were asked of since, then it stays', async () => {
    const away = dispatcher.device(false);
    const [waiting] = (await dispatcher.request([away])) as [string];
    await dispatcher.reached(waiting, 'QUEUED');
    const request_id = uuid();
    await ended(dispatcher.device(), request_id);
    await dispatcher.service.query(`UPDATE command_request SET asked_at = now() - interval '60 days'`);
    await dispatcher.service.query(`UPDATE command SET state_at = now() - interval '60 days' WHERE request_id = $1`, [
      request_id,
    ]);
    const again = await ended(dispatcher.device(), request_id);
    expect(await pass(inDays(30.5))).toEqual({ ...NONE, commands: 1 + 1 });
    expect(await count('command_request')).toBe(2);
    await expect(dispatcher.command(again)).rejects.toMatchObject({ kind: 'not_found' });
    expect(await dispatcher.command(waiting)).toMatchObject({ state: 'QUEUED' });
    expect(await pass(inDays(31.5))).toEqual({ ...NONE, requests: 1 });
  });

  it('given a user’s request that recurs, then it stays as long as a command of it does, however late that was made, and goes with its counts', async () => {
    const device = dispatcher.device(false);
    const { id } = await dispatcher.create({
      devices: [device],
      schedule: 'RECURRING',
      schedule_args: { start_datetime: new Date(inDays(1)).toISOString() },
    });
    const [command] = await dispatcher.commandsOf(id);
    await dispatcher.service.query(`UPDATE command_request SET asked_at = now() - interval '90 days'`);
    expect(await pass(Date.now())).toEqual(NONE);
    expect(await dispatcher.stats(id)).toMatchObject({ total: 1, SCHEDULED: 1 });

    await dispatcher.cancelRequest(id);
    await dispatcher.reached(command!.id, 'CANCELLED');
    expect(await pass(inDays(30.1))).toEqual({ ...NONE, commands: 1, requests: 1 });
    expect([await count('user_request'), await count('request_count')]).toEqual([0, 0]);
  });

  it('given requests that are asked for at the moment they are deleted, then every command finds its request', async () => {
    const store = dispatcher.service.get(CommandRetentionStore);
    for (let round = 0; round < 5; round++) {
      const requests = Array.from({ length: 10 }, () => uuid());
      const device = dispatcher.device(false);
      const first = { command_id: uuid(), device_id: device, ref: uuid(), args: {} };
      await Promise.all(
        requests.map((request_id) => dispatcher.ask([{ ...first, command_id: uuid() }], { request_id })),
      );
      await vi.waitUntil(async () => (await count('command')) === 10);
      await dispatcher.service.query(`DELETE FROM command`);
      await dispatcher.service.query(`UPDATE command_request SET asked_at = now() - interval '60 days'`);
      await Promise.all([
        ...requests.map((request_id) => dispatcher.ask([{ ...first, command_id: uuid() }], { request_id })),
        store.deleteRequests(PROJECT, new Date()),
        store.deleteRequests(PROJECT, new Date()),
      ]);
      await vi.waitUntil(async () => (await count('command')) === 10, { timeout: 10_000 });
      expect(await count('command_request')).toBe(10);
      await dispatcher.service.query('TRUNCATE command, command_request, lane');
    }
  });

  it('given cancels whose commands never came, then they go after 30 days', async () => {
    const head = { request_id: uuid(), reason: 'no longer wanted', reply_to: 'muster.work.job-planner.outcome' };
    const items = Array.from({ length: 3 }, () => ({ command_id: uuid(), ref: uuid() }));
    await dispatcher.service.ask(commandWork.cancel, { project_id: PROJECT, head, items });
    await vi.waitUntil(async () => (await count('command_cancel')) === 3);
    expect(await pass(inDays(29.9))).toEqual(NONE);
    expect(await pass(inDays(30.1))).toEqual({ ...NONE, marks: 3 });
  });

  it('given thousands, some of which ended lately, and two replicas at once, then each that is due is deleted once', async () => {
    const request_id = uuid();
    await dispatcher.request([dispatcher.device(false)], { request_id });
    await vi.waitUntil(async () => (await count('command')) === 1);
    await pastCommands(request_id, 40, 4_500);
    await dispatcher.service.query(
      `UPDATE command SET state_at = now() - interval '20 days' WHERE id IN (SELECT id FROM command ORDER BY id LIMIT 100)`,
    );
    const [one, two] = await Promise.all([pass(Date.now()), pass(Date.now())]);
    const rest = await pass(Date.now());
    expect(one.commands + two.commands + rest.commands).toBe(4_400);
    expect(await count('command')).toBe(101);
  });

  it('given many recent commands, then the old ones are read by the primary key alone', async () => {
    await pastCommands(uuid(), 1, 5_000);
    await dispatcher.service.query('ANALYZE command');
    const plan = await dispatcher.service.query<{ 'QUERY PLAN': string }>(
      `EXPLAIN SELECT id FROM command WHERE project_id = $1 AND id > $2 AND id < $3 ORDER BY id LIMIT 2000`,
      [PROJECT, '00000000-0000-0000-0000-000000000000', firstIdAt(new Date(inDays(-30)))],
    );
    expect(plan.map((row) => row['QUERY PLAN']).join('\n')).toMatch(/Index (Only )?Scan using command_pkey/);
  });
});
