import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ADMIN_TOKEN, startGateway, type TestGateway } from '../testing/gateway.harness.js';
import { FakeDeviceState, FakeJobPlanner } from '../testing/services.fake.js';

const JOBS = '/v2/demo/productmgr/jobs';
const DEVICES = '/api/v1/devices';
const TOKENS = '/api/v1/tokens';
const job = {
  job_name: 'upgrade',
  job_type: 'node_upgrade',
  job_content: { target_type: 'node', target_query: { online: true } },
};

let gateway: TestGateway;

beforeAll(async () => {
  gateway = await startGateway();
  await new FakeDeviceState(gateway.bus).start();
  await new FakeJobPlanner(gateway.bus).start();
});

afterAll(() => gateway.stop());

describe('given no token, or one that is not good', () => {
  it.each([
    ['none', {}],
    ['an unknown one', { authorization: 'Bearer nobody-knows-this-one' }],
    ['another scheme', { authorization: 'Basic YWRtaW46YWRtaW4=' }],
    ['an empty one', { 'x-auth-token': '' }],
  ])('when %s is sent, then both families answer 401 in their own shape', async (_, headers) => {
    const jobs = await gateway.ask('GET', JOBS, { token: null, headers });
    expect(jobs.status).toBe(401);
    expect(jobs.json()).toEqual({ error_code: 'MUS.010401', error_msg: expect.stringContaining('token') as string });
    expect(jobs.headers.get('www-authenticate')).toBe('Bearer');

    const devices = await gateway.ask('GET', DEVICES, { token: null, headers });
    expect(devices.status).toBe(401);
    expect(devices.headers.get('content-type')).toMatch(/^application\/problem\+json/);
    expect(devices.json()).toMatchObject({ type: 'about:blank', title: 'Unauthorized', status: 401 });
  });

  it('when a stranger sends a body, then it is refused before the body is looked at', async () => {
    const answer = await gateway.ask('POST', JOBS, { token: null, body: '{ not json' });
    expect(answer.status).toBe(401);
  });

  it('when a token has expired, then it is refused', async () => {
    const expires_at = new Date(Date.now() + 400).toISOString();
    const issued = await gateway.ask('POST', TOKENS, { body: { name: 'short', role: 'viewer', expires_at } });
    const { token } = issued.json<{ token: string }>();
    expect((await gateway.ask('GET', DEVICES, { token })).status).toBe(200);
    await expect.poll(async () => (await gateway.ask('GET', DEVICES, { token })).status, { timeout: 5_000 }).toBe(401);
  });

  it('when a token was revoked, then it is refused at once', async () => {
    const { token, id } = (await gateway.ask('POST', TOKENS, { body: { name: 'gone', role: 'viewer' } })).json<{
      token: string;
      id: string;
    }>();
    expect((await gateway.ask('GET', DEVICES, { token })).status).toBe(200);
    expect((await gateway.ask('DELETE', `${TOKENS}/${id}`)).status).toBe(204);
    expect((await gateway.ask('GET', DEVICES, { token })).status).toBe(401);
    expect((await gateway.ask('DELETE', `${TOKENS}/${id}`)).status).toBe(204);
  });
});

describe('given a good token', () => {
  it.each(['authorization', 'x-auth-token'])('when it comes as %s, then it is taken', async (header) => {
    const value = header === 'authorization' ? `Bearer ${ADMIN_TOKEN}` : ADMIN_TOKEN;
    expect((await gateway.ask('GET', JOBS, { token: null, headers: { [header]: value } })).status).toBe(200);
  });

  it.each([
    ['viewer', { read: 200, createJob: 403, createDevice: 403, tokens: 403 }],
    ['operator', { read: 200, createJob: 201, createDevice: 201, tokens: 403 }],
    ['approver', { read: 200, createJob: 403, createDevice: 403, tokens: 403 }],
    ['admin', { read: 200, createJob: 201, createDevice: 201, tokens: 200 }],
    ['service', { read: 200, createJob: 403, createDevice: 403, tokens: 403 }],
  ])('when the role is %s, then it may do what the role may', async (role, expected) => {
    const token = await gateway.token(role);
    const seen = {
      read: (await gateway.ask('GET', JOBS, { token })).status,
      createJob: (await gateway.ask('POST', JOBS, { token, body: job })).status,
      createDevice: (await gateway.ask('POST', DEVICES, { token, body: { name: `of-${role}` } })).status,
      tokens: (await gateway.ask('GET', TOKENS, { token })).status,
    };
    expect(seen).toEqual(expected);
  });

  it('when the role may not, then the refusal names the role in the shape of the family', async () => {
    const token = await gateway.token('viewer');
    const answer = await gateway.ask('POST', JOBS, { token, body: job });
    expect(answer.json()).toEqual({ error_code: 'MUS.010403', error_msg: 'role viewer may not do this' });
  });

  it('when the path names another project, then it is 403, and 404 for an object of another project', async () => {
    const stranger = await gateway.token('admin', 'other');
    expect((await gateway.ask('GET', JOBS, { token: stranger })).status).toBe(403);
    expect((await gateway.ask('GET', '/v2/other/productmgr/jobs')).status).toBe(403);
    expect((await gateway.ask('GET', '/v2/other/productmgr/jobs', { token: stranger })).status).toBe(200);

    const { job_id } = (await gateway.ask('POST', JOBS, { body: job })).json<{ job_id: string }>();
    const foreign = await gateway.ask('GET', `/v2/other/productmgr/jobs/${job_id}`, { token: stranger });
    expect(foreign.status).toBe(404);

    const { id } = (await gateway.ask('POST', DEVICES, { body: { name: 'ours' } })).json<{ id: string }>();
    expect((await gateway.ask('GET', `${DEVICES}/${id}`, { token: stranger })).status).toBe(404);
  });
});

describe('given the tokens API', () => {
  it('when a token is issued, then its secret is shown once and never kept', async () => {
    const issued = await gateway.ask('POST', TOKENS, { body: { name: 'ci', role: 'operator' } });
    expect(issued.status).toBe(201);
    const { id, token, ...document } = issued.json<{ id: string; token: string }>();
    expect(document).toMatchObject({ name: 'ci', role: 'operator', project: 'demo', expires_at: null });
    expect(document).toHaveProperty('actor_number', expect.any(Number));

    const rows = await gateway.sql('SELECT * FROM token');
    expect(JSON.stringify(rows)).not.toContain(token);
    const listed = await gateway.ask('GET', `${TOKENS}?limit=1000`);
    expect(listed.text).toContain(id);
    expect(listed.text).not.toContain(token);
    expect(listed.text).not.toContain('secret');
  });

  it('when tokens are listed in pages, then each comes once and in order', async () => {
    const seen: string[] = [];
    let next: string | null = '';
    while (next !== null) {
      const page = await gateway.ask('GET', `${TOKENS}?limit=2${next && `&after=${next}`}`);
      const body: { tokens: { id: string }[]; next: string | null } = page.json();
      expect(body.tokens.length).toBeLessThanOrEqual(2);
      seen.push(...body.tokens.map(({ id }) => id));
      next = body.next;
    }
    const rows = await gateway.sql('SELECT id FROM token ORDER BY id');
    expect(seen).toEqual(rows.map(({ id }) => id));
  });

  it.each([
    [{ role: 'viewer' }, 'name'],
    [{ name: 'x', role: 'king' }, 'role'],
    [{ name: 'x', role: 'viewer', project: 'Not A Slug' }, 'project'],
    [{ name: 'x', role: 'viewer', expires_at: 'tomorrow' }, 'expires_at'],
    [{ name: 'x', role: 'viewer', expires_at: '2001-01-01T00:00:00Z' }, 'expires_at'],
    [{ name: 'x', role: 'viewer', extra: 1 }, 'extra'],
  ])('when the order is %j, then 400 names %s', async (body, field) => {
    const answer = await gateway.ask('POST', TOKENS, { body });
    expect(answer.status).toBe(400);
    expect(answer.json<{ errors: { field: string }[] }>().errors.map((error) => error.field)).toContain(field);
  });

  it("when an admin that is not the installation's orders for another project, then it is 403 and nothing is opened", async () => {
    const token = await gateway.token('admin');
    const answer = await gateway.ask('POST', TOKENS, { token, body: { name: 'x', role: 'viewer', project: 'theirs' } });
    expect(answer.status).toBe(403);
    expect(await gateway.sql(`SELECT 1 FROM project WHERE slug = 'theirs'`)).toEqual([]);
  });

  it('when an admin of another project looks, then it sees and revokes only tokens of that project', async () => {
    const stranger = await gateway.token('admin', 'third');
    const list = (await gateway.ask('GET', TOKENS, { token: stranger })).json<{ tokens: { project: string }[] }>();
    expect(list.tokens.map(({ project }) => project)).toEqual(['third']);
    const [ours] = await gateway.sql(`SELECT id FROM token WHERE project = 'demo' AND NOT installation LIMIT 1`);
    expect((await gateway.ask('DELETE', `${TOKENS}/${String(ours!['id'])}`, { token: stranger })).status).toBe(404);
  });

  it("when the installation's own token is to be revoked, then 409 says how it is changed", async () => {
    const [row] = await gateway.sql('SELECT id FROM token WHERE installation');
    const answer = await gateway.ask('DELETE', `${TOKENS}/${String(row!['id'])}`);
    expect(answer.status).toBe(409);
    expect(answer.text).toContain('MUSTER_ADMIN_TOKEN');
  });

  it('when the gateway starts with another token, then the earlier one is worth nothing, and the other way round', async () => {
    const other = 'another-token-of-the-test';
    await gateway.restart({ MUSTER_ADMIN_TOKEN: other });
    expect((await gateway.ask('GET', DEVICES)).status).toBe(401);
    expect((await gateway.ask('GET', DEVICES, { token: other })).status).toBe(200);
    await gateway.restart();
    expect((await gateway.ask('GET', DEVICES)).status).toBe(200);
    expect((await gateway.ask('GET', DEVICES, { token: other })).status).toBe(401);
  });
});
