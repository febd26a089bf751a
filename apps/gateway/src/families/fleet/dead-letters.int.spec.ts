import type { DeadLetter } from '@muster/contracts';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { FakeDeadLetters } from '../../testing/dead-letters.fake.js';
import { startGateway, type Ask, type TestGateway } from '../../testing/gateway.harness.js';

const LETTERS = '/api/v1/dead-letters';
const NOBODYS = '01890000-0000-7000-8000-000000000000';

let gateway: TestGateway;
let services: FakeDeadLetters;

beforeAll(async () => {
  gateway = await startGateway();
  services = new FakeDeadLetters(gateway.bus);
  await services.start();
});
afterAll(() => gateway.stop());
beforeEach(() => {
  services.letters.clear();
  services.replayed.length = 0;
});

const list = async (query = '', ask: Ask = {}) => {
  const answer = await gateway.ask('GET', `${LETTERS}?${query}`, ask);
  expect(answer.status).toBe(200);
  return answer.json<{ dead_letters: DeadLetter[]; next: string | null }>();
};
const replay = (body: object, ask: Ask = {}) => gateway.ask('POST', `${LETTERS}/replay`, { body, ...ask });

describe('given dead letters in several services', () => {
  it('when they are listed in pages, then each comes once, in the order of parking, and next is null at the end', async () => {
    const keepers = ['job-planner', 'device-state', 'device-state', 'command-dispatcher', 'job-planner'] as const;
    const ids = keepers.map((service) => services.park(service));
    const first = await list('limit=2');
    const second = await list(`limit=2&after=${first.next}`);
    const third = await list(`limit=2&after=${second.next}`);
    const pages = [first, second, third].map(({ dead_letters }) => dead_letters.map(({ id }) => id));
    expect(pages).toEqual([ids.slice(0, 2), ids.slice(2, 4), ids.slice(4)]);
    expect(third.next).toBeNull();
  });

  it('when they are filtered, then by service, by subject and by time', async () => {
    services.park('job-planner', { reason: 'planner', parked_at: '2025-01-01T00:00:00Z' });
    services.park('device-state', { reason: 'state', subject: 'muster.dev.demo.x.status' });
    const reasons = async (query: string) => (await list(query)).dead_letters.map(({ reason }) => reason);
    expect(await reasons('service=job-planner')).toEqual(['planner']);
    expect(await reasons('subject=muster.dev.demo.x.status')).toEqual(['state']);
    expect(await reasons('parked_before=2025-02-01T00:00:00Z')).toEqual(['planner']);
  });

  it('when one is asked for by its id alone, then its keeper answers', async () => {
    const id = services.park('job-planner', { payload: 'AAEC', payload_encoding: 'base64' });
    const answer = await gateway.ask('GET', `${LETTERS}/${id.toUpperCase()}`);
    expect([answer.status, answer.json()]).toEqual([200, services.letters.get(id)]);
  });

  it('when one is replayed, then it is published and gone, and a second time it is 404', async () => {
    const id = services.park('command-dispatcher');
    expect((await gateway.ask('POST', `${LETTERS}/${id}/replay`)).status).toBe(204);
    expect(services.replayed).toEqual([id]);
    expect((await gateway.ask('POST', `${LETTERS}/${id}/replay`)).status).toBe(404);
  });

  it('when one is too large for the bus, then 413 says so, and it stays', async () => {
    const id = services.park('device-state', { reason: 'too large' });
    const answer = await gateway.ask('POST', `${LETTERS}/${id}/replay`);
    expect([answer.status, answer.json()]).toMatchObject([413, { detail: 'more than the bus carries' }]);
    expect((await list()).dead_letters).toHaveLength(1);
  });

  it('when one is deleted, then it is gone and not published', async () => {
    const id = services.park('job-planner');
    expect((await gateway.ask('DELETE', `${LETTERS}/${id}`)).status).toBe(204);
    expect((await gateway.ask('DELETE', `${LETTERS}/${id}`)).status).toBe(404);
    expect(services.replayed).toEqual([]);
  });

  it('when a page is replayed, then it answers how many, names what the bus cannot carry, and next leads to the rest', async () => {
    const ids = (['job-planner', 'device-state', 'job-planner'] as const).map((service) => services.park(service));
    const large = services.park('device-state', { reason: 'too large' });
    const last = services.park('job-planner');
    const first = await replay({ limit: 4 });
    expect([first.status, first.json()]).toEqual([
      200,
      {
        replayed: 3,
        failed: [{ id: large, service: 'device-state', reason: 'more than the bus carries' }],
        next: large,
      },
    ]);
    expect(services.replayed.slice().sort()).toEqual(ids);
    expect((await replay({ after: large })).json()).toEqual({ replayed: 1, failed: [], next: null });
    expect(services.replayed).toContain(last);
  });

  it('when a filter is given, then the others are not replayed', async () => {
    services.park('job-planner');
    const id = services.park('device-state');
    expect((await replay({ service: 'device-state' })).json()).toEqual({ replayed: 1, failed: [], next: null });
    expect(services.replayed).toEqual([id]);
  });
});

describe('given who asks', () => {
  it.each(['viewer', 'operator', 'approver', 'service'])(
    'when the role is %s, then everything is 403',
    async (role) => {
      const token = await gateway.token(role);
      const id = services.park('job-planner');
      const asked = [
        ['GET', LETTERS],
        ['GET', `${LETTERS}/${id}`],
        ['POST', `${LETTERS}/${id}/replay`],
        ['POST', `${LETTERS}/replay`, {}],
        ['DELETE', `${LETTERS}/${id}`],
      ] as const;
      for (const [method, path, body] of asked) {
        expect((await gateway.ask(method, path, { token, body })).status, `${method} ${path}`).toBe(403);
      }
      expect(services.letters.has(id)).toBe(true);
    },
  );

  it("when it is the admin of a project, then the letters of that project are all there is; the installation's token has all", async () => {
    const token = await gateway.token('admin', 'acme');
    const ours = services.park('job-planner', { project_id: 'acme' });
    const theirs = services.park('job-planner', { project_id: 'demo' });
    const unknown = services.park('device-state', { project_id: null });
    expect((await list('', { token })).dead_letters.map(({ id }) => id)).toEqual([ours]);
    for (const id of [theirs, unknown]) {
      expect((await gateway.ask('GET', `${LETTERS}/${id}`, { token })).status).toBe(404);
      expect((await gateway.ask('POST', `${LETTERS}/${id}/replay`, { token })).status).toBe(404);
      expect((await gateway.ask('DELETE', `${LETTERS}/${id}`, { token })).status).toBe(404);
    }
    expect((await replay({}, { token })).json()).toMatchObject({ replayed: 1 });
    expect(services.replayed).toEqual([ours]);
    expect((await list()).dead_letters.map(({ id }) => id)).toEqual([theirs, unknown]);
  });
});

describe('given input that is not as it should be', () => {
  it.each([
    'limit=0',
    'limit=1001',
    'after=x',
    'service=gateway',
    'service=nobody',
    'subject=',
    'parked_before=now',
    'parked_before=0000-01-01T00:00:00Z',
    'parked_before=2026-01-01T00:00:00%2B23:59',
  ])('when the query is %s, then 400 names the parameter', async (query) => {
    const answer = await gateway.ask('GET', `${LETTERS}?${query}`);
    expect(answer.status).toBe(400);
    expect(answer.json()).toMatchObject({ errors: [{ field: query.split('=')[0] }] });
  });

  it.each([
    [{ limit: '5' }, 'limit'],
    [{ limit: 501 }, 'limit'],
    [{ all: true }, 'all'],
  ])('when the replay is %j, then 400 names the field', async (body, field) => {
    expect((await replay(body)).json()).toMatchObject({ status: 400, errors: [{ field }] });
  });

  it.each([NOBODYS, 'no-id'])('when the id is %s, then it is 404', async (id) => {
    expect((await gateway.ask('GET', `${LETTERS}/${id}`)).json()).toMatchObject({ status: 404, title: 'Not Found' });
  });
});

describe('given a service that does not answer', () => {
  it('when its letters may be meant, then 503 names it and says when to ask again; what does not concern it is answered', async () => {
    const id = services.park('device-state');
    await services.stop('job-planner');
    try {
      const [listed, unknown, found, filtered] = await Promise.all([
        gateway.ask('GET', LETTERS),
        gateway.ask('GET', `${LETTERS}/${NOBODYS}`),
        gateway.ask('GET', `${LETTERS}/${id}`),
        gateway.ask('GET', `${LETTERS}?service=device-state`),
      ]);
      for (const answer of [listed, unknown]) {
        expect([answer.status, answer.json()]).toMatchObject([503, { detail: 'job-planner does not answer' }]);
        expect(answer.headers.get('retry-after')).toBe('1');
      }
      expect([found.status, filtered.status]).toEqual([200, 200]);
    } finally {
      await services.start(['job-planner']);
    }
  });
});
