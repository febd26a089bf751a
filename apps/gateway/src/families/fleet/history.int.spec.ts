import { WAITING_ENTITIES, type ServiceName, type TimelineEntry, type WaitingEntry } from '@muster/contracts';
import { v7 as uuid } from 'uuid';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startGateway, type TestGateway } from '../../testing/gateway.harness.js';
import { FakeHistory } from '../../testing/history.fake.js';

const DEVICE = uuid();
const WAITING = '/api/v1/waiting';
const timelineOf = (device: string) => `/api/v1/devices/${device}/timeline`;
const at = (microseconds: number) => `2025-01-01T00:00:00.${String(microseconds).padStart(6, '0')}Z`;

let gateway: TestGateway;
let services: FakeHistory;

beforeAll(async () => {
  gateway = await startGateway();
  services = new FakeHistory(gateway.bus);
  services.devices.add(DEVICE);
  const happened = (entity: TimelineEntry['entity'], time: number, state: string): TimelineEntry => ({
    ...{ at: at(time), id: uuid(), entity, entity_id: uuid(), state, reason: '', detail: {} },
  });
  services.entries.set('device-state', [
    happened('device', 1, 'REGISTERED'),
    happened('device', 2, 'ONLINE'),
    happened('drift', 9, 'DRIFTED'),
  ]);
  services.entries.set(
    'command-dispatcher',
    ['QUEUED', 'INITIATED', 'ACKNOWLEDGED', 'INPROGRESS', 'SUCCESS'].map((state, place) =>
      happened('command', 3 + place, state),
    ),
  );
  services.entries.set('job-planner', [happened('job-task', 3, 'Waiting'), happened('job-task', 8, 'Successful')]);

  const entities = Object.values(WAITING_ENTITIES).flat();
  services.waiting = entities.flatMap((entity) =>
    [5, 5, 5, 5, 7].map((time): WaitingEntry => ({
      ...{ entity, id: uuid(), device_id: null, state: 'x', waits_for: 'slot', due_at: at(time), reason: '' },
    })),
  );
  services.waiting.push({
    ...{ entity: 'job-task', id: uuid(), device_id: DEVICE, state: 'Waiting', waits_for: 'approval', due_at: null },
    reason: '',
  });
  await services.start();
});
afterAll(() => gateway.stop());

/** All of a list, page by page. */
async function read<T>(path: string, list: string, limit: number): Promise<T[]> {
  const all: T[] = [];
  for (let after = ''; ;) {
    const answer = await gateway.ask('GET', `${path}${path.includes('?') ? '&' : '?'}limit=${limit}${after}`);
    expect(answer.status).toBe(200);
    const page = answer.json<Record<string, T[]> & { next: string | null }>();
    expect(page[list]!.length).toBeLessThanOrEqual(limit);
    all.push(...page[list]!);
    if (page.next === null) return all;
    after = `&after=${page.next}`;
  }
}

/** What a question is answered with while a service is away. */
async function without(service: 'device-state' | 'command-dispatcher' | 'job-planner', path: string) {
  await services.stop(service);
  try {
    return await gateway.ask('GET', path);
  } finally {
    await services.start([service]);
  }
}

describe('the timeline of a device', () => {
  it.each([1, 2, 100])('given pages of %i, then each entry of each service comes once, newest first', async (limit) => {
    const all = await read<TimelineEntry>(timelineOf(DEVICE), 'timeline', limit);
    expect(all).toHaveLength(10);
    const keys = all.map((entry) => `${entry.at} ${entry.id}`);
    expect(keys).toEqual([...new Set(keys)].sort().reverse());
    expect(all.map(({ state }) => state).slice(0, 3)).toEqual(['DRIFTED', 'Successful', 'SUCCESS']);
    expect(all.at(-1)).toEqual(services.entries.get('device-state')![0]);
  });

  it('given a device that is unknown, or of another project, then it is 404', async () => {
    const token = await gateway.token('viewer', 'acme');
    const answers = await Promise.all([
      gateway.ask('GET', timelineOf(uuid())),
      gateway.ask('GET', timelineOf('x')),
      gateway.ask('GET', timelineOf(DEVICE), { token }),
    ]);
    expect(answers.map(({ status }) => status)).toEqual([404, 404, 404]);
  });

  it.each(['limit=0', 'limit=1001', 'after=x', 'entity=command'])('given %s, then 400 names it', async (query) => {
    const answer = await gateway.ask('GET', `${timelineOf(DEVICE)}?${query}`);
    expect([answer.status, answer.json()]).toMatchObject([400, { errors: [{ field: query.split('=')[0] }] }]);
  });

  it('given a service that does not answer, then 503 names it', async () => {
    const answer = await without('job-planner', timelineOf(DEVICE));
    expect([answer.status, answer.json()]).toMatchObject([503, { detail: 'job-planner does not answer' }]);
  });
});

describe('what waits', () => {
  it.each([1, 4, 1000])('given pages of %i, then each comes once, what is due next first', async (limit) => {
    const all = await read<WaitingEntry>(WAITING, 'waiting', limit);
    expect(all).toHaveLength(services.waiting.length);
    const keys = all.map((entry) => `${entry.due_at ?? 'never'} ${entry.id}`);
    expect(keys).toEqual([...new Set(keys)].sort());
    expect(all.at(-1)).toEqual(services.waiting.at(-1));
  });

  it('given an entity, then the others are left out, and only who keeps it has to answer', async () => {
    const tasks = await read<WaitingEntry>(`${WAITING}?entity=job-task`, 'waiting', 2);
    expect(tasks.map(({ entity }) => entity)).toEqual(Array<string>(6).fill('job-task'));
    const away: ServiceName = 'command-dispatcher';
    expect((await without(away, `${WAITING}?entity=job`)).status).toBe(200);
    const answer = await without(away, WAITING);
    expect([answer.status, answer.json()]).toMatchObject([503, { detail: 'command-dispatcher does not answer' }]);
  });

  it('given another project, then nothing of this one is there', async () => {
    const token = await gateway.token('viewer', 'acme');
    expect((await gateway.ask('GET', WAITING, { token })).json()).toEqual({ waiting: [], next: null });
  });

  it.each(['limit=0', 'after=x', 'entity=device'])('given %s, then 400 names it', async (query) => {
    const answer = await gateway.ask('GET', `${WAITING}?${query}`);
    expect([answer.status, answer.json()]).toMatchObject([400, { errors: [{ field: query.split('=')[0] }] }]);
  });
});
