import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { ADMIN_TOKEN, startGateway, type TestGateway } from '../testing/gateway.harness.js';
import { FakeDeviceState, FakeJobPlanner } from '../testing/services.fake.js';
import { IdempotencyStore } from './idempotency.store.js';

const JOBS = '/v2/demo/productmgr/jobs';
const job = {
  job_name: 'once',
  job_type: 'node_upgrade',
  job_content: { target_type: 'node', target_query: { online: true } },
};

let gateway: TestGateway;
let planner: FakeJobPlanner;
let devices: FakeDeviceState;

beforeAll(async () => {
  gateway = await startGateway();
  planner = new FakeJobPlanner(gateway.bus);
  await planner.start();
  devices = new FakeDeviceState(gateway.bus);
  await devices.start();
});

afterAll(() => gateway.stop());

beforeEach(async () => {
  await gateway.sql('DELETE FROM idempotency_key');
  planner.jobs.clear();
});

const post = (path: string, key: string, body: unknown, token = ADMIN_TOKEN) =>
  gateway.ask('POST', path, { body, token, headers: { 'idempotency-key': key } });

describe('given a create with an idempotency key', () => {
  it('when it is repeated, then the first answer comes again and nothing is made twice', async () => {
    const first = await post(JOBS, 'k1', job);
    const again = await post(`${JOBS}/`, 'k1', job);
    expect([first.status, again.status]).toEqual([201, 201]);
    expect(again.json()).toEqual(first.json());
    expect(planner.jobs.size).toBe(1);
  });

  it('when it is repeated with another body or on another path, then it is 422 in the shape of the family', async () => {
    await post(JOBS, 'k2', job);
    const body = await post(JOBS, 'k2', { ...job, description: 'changed' });
    expect([body.status, body.json()]).toMatchObject([422, { error_code: 'MUS.010422' }]);
    const path = await post('/api/v1/devices', 'k2', { name: 'x' });
    expect([path.status, path.json()]).toMatchObject([422, { title: 'Unprocessable Entity' }]);
    expect(planner.jobs.size).toBe(1);
  });

  it('when another project uses the same key, then it makes its own', async () => {
    const other = await gateway.token('admin', 'other');
    await post(JOBS, 'k3', job);
    expect((await post('/v2/other/productmgr/jobs', 'k3', job, other)).status).toBe(201);
    expect(planner.jobs.size).toBe(2);
  });

  it('when it was created but the gateway died before it could say so, then the next try makes nothing new', async () => {
    const { job_id } = (await post(JOBS, 'k4', job)).json<{ job_id: string }>();
    await gateway.sql('UPDATE idempotency_key SET response = NULL');
    expect((await post(JOBS, 'k4', job)).json()).toMatchObject({ job_id });
    expect([...planner.jobs.keys()]).toEqual([job_id]);

    const device = await post('/api/v1/devices', 'k4-device', { name: 'once' });
    await gateway.sql('UPDATE idempotency_key SET response = NULL');
    const again = await post('/api/v1/devices', 'k4-device', { name: 'once' });
    expect([again.status, again.json()]).toEqual([201, device.json()]);
  });

  it('when many come at the same time, then they make one', async () => {
    const answers = await Promise.all(Array.from({ length: 20 }, () => post(JOBS, 'k5', job)));
    const ids = new Set(answers.map((answer) => answer.json<{ job_id: string }>().job_id));
    expect(answers.map(({ status }) => status)).toEqual(Array(20).fill(201));
    expect(ids.size).toBe(1);
    expect(planner.jobs.size).toBe(1);
  });

  it('when it is refused, then the key is free for the mended one', async () => {
    const wrong = { ...job, job_content: { ...job.job_content, task_data: 'not json' } };
    expect((await post(JOBS, 'k6', wrong)).status).toBe(400);
    expect((await post(JOBS, 'k6', job)).status).toBe(201);
  });

  it('when the service was away, then the key keeps its id for the next try', async () => {
    await devices.stop();
    const away = await post('/api/v1/devices', 'k7', { name: 'later' });
    expect([away.status, away.json()]).toMatchObject([503, { detail: 'device-state does not answer' }]);
    const [kept] = await gateway.sql(`SELECT resource_id FROM idempotency_key WHERE key = 'k7'`);
    await devices.start();
    const back = await post('/api/v1/devices', 'k7', { name: 'later' });
    expect([back.status, back.json()]).toMatchObject([201, { id: kept!['resource_id'] }]);
  });

  it('when a token is issued twice with one key, then it is the same token, although none is kept', async () => {
    const order = { name: 'ci', role: 'operator' };
    const first = await post('/api/v1/tokens', 'k8', order);
    const again = await post('/api/v1/tokens', 'k8', order);
    expect([again.status, again.json()]).toEqual([201, first.json()]);
    const { token } = first.json<{ token: string }>();
    expect((await gateway.ask('GET', JOBS, { token })).status).toBe(200);
    expect(JSON.stringify(await gateway.sql('SELECT * FROM idempotency_key'))).not.toContain(token);

    const another = await post('/api/v1/tokens', 'k8', order, await gateway.token('admin'));
    expect(another.status).toBe(409);
    expect(another.text).not.toContain(token);
  });

  it.each(['', 'x'.repeat(256), 'tab\there'])('when the key is %j, then 400 names the header', async (key) => {
    const answer = await post(JOBS, key, job);
    expect([answer.status, answer.text]).toEqual([400, expect.stringContaining('Idempotency-Key')]);
  });

  it('when it is older than a day, then it is forgotten, a younger one is not', async () => {
    await post(JOBS, 'old', job);
    await post(JOBS, 'young', job);
    await gateway.sql(`UPDATE idempotency_key SET created_at = now() - interval '24 hours 1 minute' WHERE key = 'old'`);
    expect(await gateway.running.app.get(IdempotencyStore).forgetOld()).toBe(false);
    expect(await gateway.sql('SELECT key FROM idempotency_key')).toEqual([{ key: 'young' }]);
  });
});
