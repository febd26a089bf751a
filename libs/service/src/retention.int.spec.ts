import { eventStream } from '@muster/contracts';
import { nanos } from 'nats';
import { DataSource } from 'typeorm';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { journalKeeper } from './journal-keeper.js';
import { createLogger } from './logger.js';
import { logLines } from './testing/log-lines.js';
import { RunningService } from './testing/running-service.js';
import { tinyService } from './testing/tiny-service.js';

const DAY_MS = 86_400_000;

let service: RunningService;

beforeAll(async () => {
  service = await RunningService.start(
    tinyService,
    { MUSTER_EVENT_DAYS: '3', MUSTER_EVENT_GIB: '1' },
    { users: false },
  );
});
afterAll(() => service.stop());

/** What one round of the keeper says. */
async function keep(days: number): Promise<Record<string, unknown>[]> {
  const logger = createLogger('test', 'info');
  const lines = logLines(logger);
  const keeper = journalKeeper(service.get(DataSource), days, logger);
  keeper.start();
  await keeper.stop();
  return lines;
}

describe('a service that is told how long to keep its events', () => {
  it('given a stream with other limits, then it takes those, and they hold once the relay has published', async () => {
    await fetch(`${service.url}/visit`);
    await vi.waitUntil(() => service.events.length > 0);
    const manager = await service.connection.jetstreamManager();
    const { config } = await manager.streams.info(eventStream('device-state'));
    expect(config).toMatchObject({ max_age: nanos(3 * DAY_MS), max_bytes: 1024 ** 3 });
  });
});

describe('the keeper of the journal', () => {
  it('given an old day with a row that is not published, then it says so and keeps the day; once it is out, the day goes', async () => {
    await service.restart(async () => {
      await service.query(`SELECT pg_advisory_lock(hashtext('relay device_state'))`);
      await service.query(
        `CREATE TABLE journal_20200101 PARTITION OF journal FOR VALUES FROM ('2020-01-01') TO ('2020-01-02')`,
      );
      await service.query(
        `INSERT INTO journal (day, project_id, transitions, work) VALUES ('2020-01-01', 'acme', '[]', '[]')`,
      );
    });
    expect(await keep(7)).toEqual([
      expect.objectContaining({
        level: 'warn',
        partitions: ['journal_20200101'],
        msg: 'old days of the journal are kept: they have rows that are not published',
      }),
    ]);

    await service.query(`SELECT pg_advisory_unlock(hashtext('relay device_state'))`);
    await vi.waitUntil(async () => (await service.query(`SELECT FROM journal WHERE NOT published`)).length === 0, {
      timeout: 10_000,
    });
    expect(await keep(7)).toEqual([
      expect.objectContaining({ partitions: ['journal_20200101'], msg: 'old days of the journal deleted' }),
    ]);
    expect(await keep(7)).toEqual([]);
  });
});
