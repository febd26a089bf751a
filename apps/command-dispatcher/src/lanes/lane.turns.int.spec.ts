import { Client } from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { PROJECT, RunningDispatcher } from '../testing/running-dispatcher.js';
import { LaneTurns } from './lane.turns.js';

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
      const waits = `SELECT FROM pg_locks WHERE NOT granted AND pid = $1`;
      const { processID } = next as Client & { processID: number };
      while ((await holder.query(waits, [processID])).rowCount === 0);
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

describe('what is late on a lane that its holder does not let go', () => {
  it('given others that are due, then these get their turn, it is left for the next time, and no other statement is bounded by its wait', async () => {
    const [held, free] = [dispatcher.device(false), dispatcher.device(false)];
    for (const command of await dispatcher.request([held, free])) await dispatcher.reached(command, 'QUEUED');
    const holder = await session();
    const turns: { devices: string[]; bound: string }[] = [];
    const take = () =>
      dispatcher.service.get(LaneTurns).take(
        [held, free].map((device_id) => ({ project_id: PROJECT, device_id, late: true })),
        async (tx, due) => {
          const [row] = await tx.query<{ statement_timeout: string }>('SHOW statement_timeout');
          turns.push({ devices: due.map((one) => one.device_id), bound: row!.statement_timeout });
        },
      );
    try {
      await takeLane(holder, held);
      expect(await take()).toBe(1);
      expect(turns).toEqual([{ devices: [free], bound: '30s' }]);

      const taking = take();
      const waits = `SELECT FROM pg_stat_activity WHERE pg_backend_pid() = ANY(pg_blocking_pids(pid))`;
      while ((await holder.query(waits)).rowCount === 0);
      await holder.query('COMMIT');
      expect(await taking).toBe(2);
      expect(turns.slice(1)).toEqual([
        { devices: [free], bound: '30s' },
        { devices: [held], bound: '30s' },
      ]);
    } finally {
      await holder.end();
    }
  });
});
