import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { RunningDeviceState } from '../testing/running-device-state.js';

const PROJECT = 'sweep';
const PATIENCE = { timeout: 15_000, interval: 25 };
const HEARTBEAT_SECONDS = 1;
const BEAT_MS = 300;

let service: RunningDeviceState;
beforeAll(async () => {
  service = await RunningDeviceState.start(HEARTBEAT_SECONDS);
});
afterAll(() => service?.stop());

const statesOf = (id: string) => service.eventsOf(id).map(({ to }) => to);

describe('the sweep of presence', () => {
  it('given two devices of which one falls silent, then that one alone goes offline, and comes back when it is heard', async () => {
    const silent = await service.register(PROJECT, 'silent');
    const alive = await service.register(PROJECT, 'alive');
    for (const id of [silent, alive]) service.say(PROJECT, id, 'hello', {});
    const beating = setInterval(() => service.say(PROJECT, alive, 'heartbeat', {}), BEAT_MS);
    try {
      await vi.waitFor(() => expect(statesOf(silent)).toEqual(['REGISTERED', 'ONLINE', 'OFFLINE']), PATIENCE);
      expect(service.eventsOf(silent).at(-1)).toMatchObject({
        from: 'ONLINE',
        version: 3,
        reason: 'missed heartbeats',
      });
      await vi.waitFor(
        () => expect(service.presenceOf(silent).at(-1)).toEqual({ online: false, version: 3 }),
        PATIENCE,
      );
      expect(await service.device(PROJECT, silent)).toMatchObject({ state: 'OFFLINE', online: false });
      const rows = await service.query<{ due: Date | null }>('SELECT presence_due AS due FROM device WHERE id = $1', [
        silent,
      ]);
      expect(rows).toEqual([{ due: null }]);

      service.say(PROJECT, silent, 'heartbeat', {});
      await vi.waitFor(
        () => expect(statesOf(silent)).toEqual(['REGISTERED', 'ONLINE', 'OFFLINE', 'ONLINE', 'OFFLINE']),
        PATIENCE,
      );
      expect(service.eventsOf(silent).map(({ version }) => version)).toEqual([1, 2, 3, 4, 5]);
      expect(service.presenceOf(silent).map(({ online, version }) => [online, version])).toEqual([
        [true, 2],
        [false, 3],
        [true, 4],
        [false, 5],
      ]);
      // By now its first deadline has passed more than once: only the heartbeats kept it.
      expect(statesOf(alive)).toEqual(['REGISTERED', 'ONLINE']);
      expect(await service.device(PROJECT, alive)).toMatchObject({ state: 'ONLINE', version: 2 });
    } finally {
      clearInterval(beating);
    }
  });

  it('given deadlines that passed while the service was away, then no device is judged before it could be heard', async () => {
    const [heard, silent] = [await service.register('away', 'heard'), await service.register('away', 'silent')];
    for (const id of [heard, silent]) service.say('away', id, 'hello', {});
    await vi.waitFor(
      () => expect([statesOf(heard).at(-1), statesOf(silent).at(-1)]).toEqual(['ONLINE', 'ONLINE']),
      PATIENCE,
    );
    await service.restart(() =>
      service.query(
        `UPDATE device SET last_seen = now() - interval '1 hour', presence_due = now() - interval '1 hour' WHERE project_id = 'away'`,
      ),
    );
    const beating = setInterval(() => service.say('away', heard, 'heartbeat', {}), BEAT_MS);
    try {
      await vi.waitFor(() => expect(statesOf(silent).at(-1)).toBe('OFFLINE'), PATIENCE);
      expect(statesOf(heard)).toEqual(['REGISTERED', 'ONLINE']);
    } finally {
      clearInterval(beating);
    }
  });

  it('given more silent devices than one step takes, over two projects, then all of them go offline once', async () => {
    const ids = await Promise.all(
      Array.from({ length: 20 }, (_, n) => service.register(n % 2 ? 'left' : 'right', `d${n}`)),
    );
    await service.query(
      `INSERT INTO device (project_id, id, name, type, state, version)
       SELECT 'left', gen_random_uuid(), 'bulk' || n, 'device', 'OFFLINE', 1 FROM generate_series(1, 700) n`,
    );
    await service.query(
      `UPDATE device SET state = 'ONLINE', last_seen = now() - interval '1 hour', presence_due = now() - interval '1 hour'
       WHERE project_id IN ('left', 'right')`,
    );
    await vi.waitFor(async () => {
      const rows = await service.query(
        `SELECT state, version, count(*)::int FROM device WHERE project_id IN ('left', 'right') GROUP BY 1, 2`,
      );
      expect(rows).toEqual([{ state: 'OFFLINE', version: 2, count: 720 }]);
    }, PATIENCE);
    await vi.waitFor(() => {
      for (const id of ids) expect(service.presenceOf(id)).toEqual([{ online: false, version: 2 }]);
    }, PATIENCE);
  });
});
