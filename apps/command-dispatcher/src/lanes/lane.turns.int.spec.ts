import { Client } from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { RunningDispatcher } from '../testing/running-dispatcher.js';

let dispatcher: RunningDispatcher;

beforeAll(async () => {
  dispatcher = await RunningDispatcher.start();
});
afterAll(() => dispatcher.service.stop());

/** Two sessions that take the device's lane in turns, each asking for it while the other one works under it. */
async function heldInTurns(device: string): Promise<{ stop: () => Promise<void> }> {
  const sessions = [0, 1].map(() => new Client({ connectionString: dispatcher.service.databaseUrl }));
  await Promise.all(sessions.map((session) => session.connect()));
  const take = async (session: Client) => {
    await session.query('BEGIN');
    await session.query('SELECT FROM lane WHERE device_id = $1 FOR UPDATE', [device]);
  };
  let stopped = false;
  await take(sessions[0]!);
  const running = (async () => {
    for (let turn = 0; ; turn++) {
      const [holder, next] = [sessions[turn % 2]!, sessions[(turn + 1) % 2]!];
      if (stopped) return holder.query('COMMIT');
      const taking = take(next);
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
      await Promise.all(sessions.map((session) => session.end()));
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
