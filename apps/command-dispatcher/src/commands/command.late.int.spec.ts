import { Client } from 'pg';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { RunningDispatcher } from '../testing/running-dispatcher.js';

let dispatcher: RunningDispatcher;

beforeAll(async () => {
  dispatcher = await RunningDispatcher.start();
});
afterAll(() => dispatcher.service.stop());

/** A session of somebody else who works with the device's lane. */
async function session(): Promise<Client> {
  const client = new Client({ connectionString: dispatcher.service.databaseUrl });
  await client.connect();
  return client;
}

async function takeLane(client: Client, device: string): Promise<void> {
  await client.query('BEGIN');
  await client.query('SELECT FROM lane WHERE device_id = $1 FOR UPDATE', [device]);
}

async function untilWaitedFor(holder: Client): Promise<void> {
  const waits = `SELECT FROM pg_stat_activity WHERE pg_backend_pid() = ANY(pg_blocking_pids(pid))`;
  await vi.waitUntil(async () => (await holder.query(waits)).rowCount !== 0, { interval: 5 });
}

/** Two sessions that take the device's lane in turns, each asking for it while the other one works under it. */
async function heldInTurns(device: string): Promise<{ stop: () => Promise<void> }> {
  const sessions = [await session(), await session()] as const;
  let stopped = false;
  await takeLane(sessions[0], device);
  const running = (async () => {
    for (let turn = 0; ; turn++) {
      const [holder, next] = [sessions[turn % 2]!, sessions[(turn + 1) % 2]!];
      if (stopped) return holder.query('COMMIT');
      const taking = takeLane(next, device);
      await untilWaitedFor(holder);
      await holder.query('SELECT pg_sleep(0.2)');
      await holder.query('COMMIT');
      await taking;
    }
  })();
  return {
    stop: async () => {
      stopped = true;
      await running;
      await Promise.all(sessions.map((one) => one.end()));
    },
  };
}

describe('a command whose time has come, of a device whose lane is always in somebody’s batch', () => {
  it('given that the sweep finds it held each time, then it waits in line for it', async () => {
    const device = dispatcher.device();
    const command = await dispatcher.commandFor(device);
    await dispatcher.sentTo(device, 1);
    const held = await heldInTurns(device);
    try {
      await dispatcher.service.query(`UPDATE command SET due_at = now(), deadline = now() WHERE id = $1`, [command.id]);
      expect(await dispatcher.reached(command.id, 'TIMEOUT')).toMatchObject({ code: 'in_progress_timeout' });
    } finally {
      await held.stop();
    }
  });
});

describe('commands whose time has come, of which one is of a device whose lane its holder does not let go', () => {
  it('given that it is held, then the others end in their time, and it does once it is let go', async () => {
    const devices = Array.from({ length: 3 }, () => dispatcher.device());
    const ids = await dispatcher.request(devices);
    for (const device of devices) await dispatcher.sentTo(device, 1);
    const [before, held, after] = ids as [string, string, string];
    const holder = await session();
    try {
      await takeLane(holder, devices[1]!);
      await dispatcher.service.query(`UPDATE command SET due_at = now(), deadline = now() WHERE id = ANY($1)`, [ids]);
      for (const id of [before, after]) await dispatcher.reached(id, 'TIMEOUT');
      await untilWaitedFor(holder);
      expect((await dispatcher.command(held)).state).toBe('INITIATED');
      await holder.query('COMMIT');
      await dispatcher.reached(held, 'TIMEOUT');
    } finally {
      await holder.end();
    }
  });
});

describe('a command that is sent by who waited long for its device’s lane', () => {
  it.each([
    ['idle', true, (device: string) => dispatcher.request([device])],
    ['back with a command in its queue', false, (device: string) => dispatcher.presence(device, true)],
  ])(
    'given a device that is %s, then it has the whole of its time from the send on, and is sent again no sooner',
    async (_how, online, go) => {
      const device = dispatcher.device(online);
      if (online) await dispatcher.presence(device, true);
      else await dispatcher.reached((await dispatcher.request([device]))[0]!, 'QUEUED');
      const holder = await session();
      try {
        await vi.waitUntil(async () => {
          const { rowCount } = await holder.query('SELECT FROM lane WHERE device_id = $1', [device]);
          return rowCount === 1;
        });
        await takeLane(holder, device);
        await go(device);
        await untilWaitedFor(holder);
        await holder.query('SELECT pg_sleep(1)');
        await holder.query('COMMIT');
      } finally {
        await holder.end();
      }
      const [message] = await dispatcher.sentTo(device, 1);
      const { activity, due_at } = await dispatcher.command(message!.command_id);
      const sentAt = Date.parse(activity.find(({ state }) => state === 'INITIATED')!.at);
      // One statement looks at the clock for each of these, one after another, and a Date knows milliseconds alone.
      expect(Date.parse(message!.deadline) - sentAt).toBeGreaterThan(60_000 - 100);
      expect(Date.parse(due_at!) - sentAt).toBeGreaterThan(5_000 - 100);
    },
  );
});
