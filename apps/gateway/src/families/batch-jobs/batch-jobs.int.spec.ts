import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startGateway, type TestGateway } from '../../testing/gateway.harness.js';
import { FakeJobPlanner } from '../../testing/services.fake.js';

const JOBS = '/v2/demo/productmgr/jobs';
const NOWHERE = '01890000-0000-7000-8000-000000000000';
const job = {
  job_name: 'aaa',
  job_type: 'deployment_deploy',
  job_content: { target_type: 'node', target_query: { online: true }, task_data: '{"source":"userdefined"}' },
};
const withContent = (change: object) => ({ ...job, job_content: { ...job.job_content, ...change } });

let gateway: TestGateway;
let planner: FakeJobPlanner;

beforeAll(async () => {
  gateway = await startGateway();
  planner = new FakeJobPlanner(gateway.bus);
  await planner.start();
});

afterAll(() => gateway.stop());

const create = async () => (await gateway.ask('POST', JOBS, { body: job })).json<{ job_id: string }>().job_id;

describe('given the batch jobs family', () => {
  it('when a job is created, then 201 answers its id, name and time, and the planner knows who asked', async () => {
    const answer = await gateway.ask('POST', JOBS, { body: job });
    expect(answer.status).toBe(201);
    const { job_id, ...rest } = answer.json<{ job_id: string }>();
    expect(rest).toEqual({ job_name: 'aaa', created_at: expect.any(Number) as number });
    const [actor] = await gateway.sql('SELECT actor_id FROM token WHERE installation');
    expect(planner.jobs.get(job_id)).toMatchObject({ project_id: 'demo', job, created_by: actor!['actor_id'] });
  });

  it('when a job is read, then the document comes as the planner gave it, with or without a slash at the end', async () => {
    const id = await create();
    for (const path of [`${JOBS}/${id}`, `${JOBS}/${id}/`]) {
      const answer = await gateway.ask('GET', path, { headers: { 'content-type': 'application/json' } });
      expect(answer.status).toBe(200);
      expect(answer.json()).toMatchObject({
        job_id: id,
        job_type: 'deployment_deploy',
        task_data: '{"source":"userdefined"}',
      });
    }
  });

  it('when a job is planned, then the planner is asked what would happen, and nothing is created', async () => {
    const before = planner.jobs.size;
    const answer = await gateway.ask('POST', `${JOBS}/plan`, { body: job });
    expect([answer.status, answer.json()]).toMatchObject([200, { targets: { count: 0 }, exposure: [] }]);
    expect(planner.asked.at(-1)).toEqual({ project_id: 'demo', job });
    const bad = await gateway.ask('POST', `${JOBS}/plan`, { body: { ...job, job_name: '-' } });
    expect([bad.status, bad.json()]).toMatchObject([400, { error_code: 'MUS.010400' }]);
    expect(planner.jobs.size).toBe(before);
  });

  it('when jobs are listed, then the paging of the family and its defaults reach the planner', async () => {
    expect((await gateway.ask('GET', JOBS)).json()).toHaveProperty('job_count');
    expect(planner.asked.at(-1)).toEqual({ project_id: 'demo', limit: 20, offset: 0, sort: 'created_at:desc' });
    await gateway.ask('GET', `${JOBS}?limit=1000&offset=7&sort=created_at:asc&status=Running&job_type=node_upgrade`);
    expect(planner.asked.at(-1)).toEqual({
      project_id: 'demo',
      limit: 1000,
      offset: 7,
      sort: 'created_at:asc',
      status: 'Running',
      job_type: 'node_upgrade',
    });
  });

  it('when the tasks of a job are listed, then the keyset reaches the planner', async () => {
    const id = await create();
    const answer = await gateway.ask('GET', `${JOBS}/${id}/tasks?status=Failed&limit=5&marker=${NOWHERE}`);
    expect(answer.json()).toEqual({ task_count: 0, tasks: [], next_marker: null });
    const asked = { project_id: 'demo', job_id: id, status: 'Failed', limit: 5, marker: NOWHERE };
    expect(planner.asked.at(-1)).toEqual(asked);
  });

  it.each([
    ['pause', 'Stopping'],
    ['retry', 'Running'],
    ['cancel', 'Stopping'],
  ])('when a job is to %s, then 200 answers its id and status', async (action, status) => {
    const job_id = await create();
    const bare = await gateway.ask('POST', `${JOBS}/${job_id}/${action}`);
    expect([bare.status, bare.json()]).toEqual([200, { job_id, status }]);
    // Clients of the original send the type of a body that they do not send, or an empty object.
    const typed = { headers: { 'content-type': 'application/json' } };
    expect((await gateway.ask('POST', `${JOBS}/${job_id}/${action}`, typed)).status).toBe(200);
    expect((await gateway.ask('POST', `${JOBS}/${job_id}/${action}/`, { body: {} })).status).toBe(200);
    expect((await gateway.ask('POST', `${JOBS}/${job_id}/${action}`, { body: { force: true } })).status).toBe(400);
  });

  it('when the planner refuses, then its reason arrives with the code of its kind', async () => {
    const answer = await gateway.ask('POST', `${JOBS}/${await create()}/restore`);
    expect(answer.status).toBe(409);
    expect(answer.json()).toEqual({ error_code: 'MUS.010409', error_msg: 'only a Stopped job is restored' });
  });

  it('when a job is deleted, then 204 has no body and the job is gone', async () => {
    const id = await create();
    const answer = await gateway.ask('DELETE', `${JOBS}/${id}`, { headers: { 'content-type': 'application/json' } });
    expect([answer.status, answer.text]).toEqual([204, '']);
    expect((await gateway.ask('GET', `${JOBS}/${id}`)).json()).toMatchObject({ error_code: 'MUS.010404' });
  });

  it.each([NOWHERE, 'not-an-id', '%2e%2e', "1'%20OR%201=1"])(
    'when the id in the path is %s, then it is 404',
    async (id) => {
      const answer = await gateway.ask('GET', `${JOBS}/${id}`);
      expect([answer.status, answer.json()]).toMatchObject([404, { error_code: 'MUS.010404' }]);
    },
  );
});

describe('given a create that is not as it should be', () => {
  it.each([
    [{ ...job, job_name: 'Has Capitals' }, 'job_name'],
    [{ ...job, job_name: '-a' }, 'job_name'],
    [{ ...job, job_name: 'a'.repeat(27) }, 'job_name'],
    [{ ...job, job_name: 7 }, 'job_name'],
    [{ ...job, job_type: 'reboot' }, 'job_type'],
    [{ ...job, surprise: true }, 'surprise'],
    [{ ...job, rollout: { max_in_flight: 0 } }, 'rollout.max_in_flight'],
    [withContent({ target_type: 'planet' }), 'job_content.target_type'],
    [withContent({ targets: ['x'] }), 'job_content.targets.0'],
    [withContent({ targets: [] }), 'job_content.targets'],
    [withContent({ target_query: { colour: 'red' } }), 'job_content.target_query'],
    [withContent({ task_data: { an: 'object' } }), 'job_content.task_data'],
    [withContent({ task_data: 'not json' }), 'job_content.task_data'],
    [{ ...job, description: 'a \u0000 b' }, 'U+0000'],
    [[], 'object'],
    [null, 'object'],
    ['"text"', 'object'],
  ])('when the body is %j, then 400 names %s and nothing is created', async (body, named) => {
    const before = planner.jobs.size;
    const answer = await gateway.ask('POST', JOBS, { body });
    expect(answer.status).toBe(400);
    expect(answer.json()).toEqual({ error_code: 'MUS.010400', error_msg: expect.stringContaining(named) as string });
    expect(planner.jobs.size).toBe(before);
  });

  it('when the body is no JSON, cut off, or poisonous, then it is 400', async () => {
    for (const body of ['{', '', '{"__proto__":{"x":1}}', '{"job_name":"a",}']) {
      const answer = await gateway.ask('POST', JOBS, { body });
      expect([answer.status, answer.json()]).toMatchObject([400, { error_code: 'MUS.010400' }]);
    }
  });

  it('when a query is nested without end, then it is 400 and the gateway lives', async () => {
    const query = '{"not":'.repeat(60_000) + '{"online":true}' + '}'.repeat(60_000);
    const body = `{"job_name":"a","job_type":"node_upgrade","job_content":{"target_type":"node","target_query":${query}}}`;
    const answer = await gateway.ask('POST', JOBS, { body });
    expect([answer.status, answer.text]).toEqual([400, expect.stringContaining('nested deeper')]);
  });

  it('when 200,000 targets are listed, then 413 names both limits', async () => {
    const answer = await gateway.ask('POST', JOBS, { body: withContent({ targets: Array(200_000).fill(NOWHERE) }) });
    expect(answer.status).toBe(413);
    expect(answer.json()).toMatchObject({ error_code: 'MUS.010413' });
    for (const limit of ['1048576 bytes', '10000 targets', 'target_query']) expect(answer.text).toContain(limit);
  });

  it('when 20,000 targets fit the body, then 400 names the field and the limit', async () => {
    const answer = await gateway.ask('POST', JOBS, { body: withContent({ targets: Array(20_000).fill(NOWHERE) }) });
    expect(answer.status).toBe(400);
    expect(answer.text).toContain('job_content.targets');
    expect(answer.text).toContain('10000');
  });

  it.each([
    'text/plain',
    'application/x-www-form-urlencoded',
    'application/x-ndjson',
    'multipart/form-data; boundary=x',
  ])('when the body comes as %s, then it is 415', async (type) => {
    const answer = await gateway.ask('POST', JOBS, { body: '{}', headers: { 'content-type': type } });
    expect([answer.status, answer.json()]).toMatchObject([415, { error_code: 'MUS.010415' }]);
    expect(answer.text).toContain('application/json');
  });
});

describe('given a query that is not as it should be', () => {
  it.each([
    ['limit=-1', 'limit'],
    ['limit=0', 'limit'],
    ['limit=abc', 'limit'],
    ['limit=', 'limit'],
    ['limit=1e2', 'limit'],
    ['limit=1.5', 'limit'],
    ['limit=5000', 'limit'],
    ['limit=99999999999999999999', 'limit'],
    ['limit=1&limit=2', 'limit'],
    ['offset=-1', 'offset'],
    ['sort=name', 'sort'],
    ['status=Asleep', 'status'],
    ['job_type=reboot', 'job_type'],
    ['colour=red', 'colour'],
    ['__proto__=1', '__proto__'],
  ])('when it is %s, then 400 names %s', async (query, parameter) => {
    const answer = await gateway.ask('GET', `${JOBS}?${query}`);
    expect(answer.status).toBe(400);
    const message = expect.stringMatching(new RegExp(`^${parameter}: `)) as string;
    expect(answer.json()).toEqual({ error_code: 'MUS.010400', error_msg: message });
  });

  it('when the marker of a task list is no id, then 400 names it', async () => {
    const answer = await gateway.ask('GET', `${JOBS}/${await create()}/tasks?marker=x`);
    expect([answer.status, answer.text]).toEqual([400, expect.stringContaining('marker: ')]);
  });
});
