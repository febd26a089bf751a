import { provision } from '@muster/persistence';
import { testNats, testPostgres, type TestNats, type TestPostgres } from '@muster/testing';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { startService, type RunningService } from './start.js';
import { TcpDoor } from './testing/tcp-door.js';
import { tinyService } from './testing/tiny-service.js';

let postgres: TestPostgres;
let nats: TestNats;
let database: TcpDoor;
let service: RunningService;

beforeAll(async () => {
  [postgres, nats] = await Promise.all([testPostgres(), testNats()]);
  const urls = await provision(await postgres.createDatabase(), [{ name: tinyService.service, password: 'x' }]);
  database = await TcpDoor.to(urls[tinyService.service]!);
  service = await startService(tinyService, {
    MUSTER_DATABASE_URL: database.url,
    MUSTER_NATS_URL: nats.url,
    MUSTER_LOG_LEVEL: 'fatal',
  });
});
afterAll(async () => {
  await service.stop();
  await database.shut();
  await nats.stop();
  await postgres.stop();
});

const get = async (path: string) => {
  const response = await fetch(`${service.url}${path}`);
  return { status: response.status, type: response.headers.get('content-type'), text: await response.text() };
};
const readiness = async () => {
  const { status, text } = await get('/readyz');
  return { status, ...(JSON.parse(text) as { checks: Record<string, string> }).checks };
};
const until = async (expected: object) => {
  await vi.waitUntil(async () => JSON.stringify(await readiness()) === JSON.stringify(expected), { timeout: 15_000 });
};
const READY = { status: 200, postgres: 'ok', nats: 'ok' };

describe('health', () => {
  it('given that all is well, then it is alive and ready', async () => {
    expect(await get('/healthz')).toMatchObject({ status: 200, text: '{"status":"ok"}' });
    expect(await get('/readyz')).toMatchObject({
      status: 200,
      text: '{"status":"ok","checks":{"postgres":"ok","nats":"ok"}}',
    });
  });

  it('given that Postgres goes, then it is alive but not ready and says why, and is ready when Postgres is back', async () => {
    await database.shut();
    await until({ status: 503, postgres: 'unreachable', nats: 'ok' });
    expect((await get('/healthz')).status).toBe(200);
    await database.open();
    await until(READY);
  });

  it('given that NATS goes, then it is alive but not ready and says why, and is ready when NATS is back', async () => {
    await nats.kill();
    await until({ status: 503, postgres: 'ok', nats: 'unreachable' });
    expect((await get('/healthz')).status).toBe(200);
    await nats.revive();
    await until(READY);
  });

  it('given both gone and back, then a request goes through to its end again', async () => {
    await Promise.all([database.shut(), nats.kill()]);
    await until({ status: 503, postgres: 'unreachable', nats: 'unreachable' });
    await Promise.all([database.open(), nats.revive()]);
    await until(READY);
    expect((await get('/visit')).status).toBe(200);
    await vi.waitUntil(
      async () => (await get('/metrics')).text.includes('pattern="muster.work.device-state.welcome",outcome="ok"'),
      { timeout: 15_000 },
    );
  });
});

describe('metrics', () => {
  it('given what was done, then it is told in the text format of Prometheus, with the name of the service', async () => {
    await get('/visit');
    const { status, type, text } = await get('/metrics');
    expect(status).toBe(200);
    expect(type).toContain('text/plain; version=0.0.4');
    for (const line of text.split('\n').filter(Boolean))
      expect(line).toMatch(/^(# (HELP|TYPE) \w+ .+|\w+\{.*service="device-state".*\} (\S+))$/);
    expect(text).toMatch(
      /muster_messages_seconds_count\{.*pattern="muster\.rpc\.device-state\.visit",outcome="ok".*\} [1-9]/,
    );
    expect(text).toMatch(/muster_relay_published_total\{.*kind="event".*\} [1-9]/);
  });
});
