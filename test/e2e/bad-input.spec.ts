import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Stack } from '../harness/stack.js';

let stack: Stack;
let devices: string[];

beforeAll(async () => {
  stack = await Stack.start();
  await stack.fleet(['--count', '3', '--prefix', 'bad']);
  const { body } = await stack.api<{ devices: { id: string }[] }>('GET', '/api/v1/devices?name_prefix=bad');
  devices = body.devices.map((device) => device.id);
});
afterAll(() => stack.stop());

interface JobError {
  error_code: string;
  error_msg: string;
}

const jobs = '/v2/demo/productmgr/jobs';
const content = (more: object = {}) => ({ target_type: 'node', targets: devices, task_data: '{}', ...more });
const create = (job: object, headers: Record<string, string> = {}) =>
  stack.api<JobError>(
    'POST',
    jobs,
    { job_name: 'ok', job_type: 'deployment_deploy', job_content: content(), ...job },
    headers,
  );
const count = async () => (await stack.api<{ job_count: number }>('GET', jobs)).body.job_count;

/** A token of another project, which is made by naming it. */
const stranger = async () =>
  (await stack.api<{ token: string }>('POST', '/api/v1/tokens', { name: 's', role: 'admin', project: 'other' })).body
    .token;

describe('a job that is wrong', () => {
  it.each([
    ['a name with capitals', () => ({ job_name: 'Bad' }), 400, 'job_name'],
    ['a name that ends in a hyphen', () => ({ job_name: 'bad-' }), 400, 'job_name'],
    ['a name of 27 characters', () => ({ job_name: 'a'.repeat(27) }), 400, 'job_name'],
    ['an unknown type', () => ({ job_type: 'reboot' }), 400, 'job_type'],
    [
      'an unknown target type',
      () => ({ job_content: content({ target_type: 'pod' }) }),
      400,
      'job_content.target_type',
    ],
    ['task_data that is not JSON', () => ({ job_content: content({ task_data: '{' }) }), 400, 'job_content.task_data'],
    ['no task_data', () => ({ job_content: content({ task_data: undefined }) }), 400, 'job_content.task_data'],
    ['a field nobody knows', () => ({ prioritas: 1 }), 400, 'prioritas'],
    [
      'a wrong type deep inside',
      () => ({ rollout: { timeout: { in_progress_seconds: 'long' } } }),
      400,
      'rollout.timeout.in_progress_seconds',
    ],
    ['a NUL', () => ({ description: 'a\u0000b' }), 400, 'U+0000'],
    [
      '200,000 targets',
      () => ({ job_content: content({ targets: Array.from({ length: 200_000 }, () => randomUUID()) }) }),
      413,
      'target_query',
    ],
  ] as const)('given %s, then it is refused by name and nothing is created', async (_what, job, status, named) => {
    const before = await count();
    const answer = await create(job());
    expect(answer.status).toBe(status);
    expect(answer.body.error_code).toMatch(/^MUS\.01\d{4}$/);
    expect(answer.body.error_msg).toContain(named);
    expect(answer.headers.get('x-request-id')).toBeTruthy();
    expect(await count()).toBe(before);
  });

  it('given devices that do not exist or belong to another project, then both are listed', async () => {
    const headers = { authorization: `Bearer ${await stranger()}` };
    const foreign = await stack.api<{ id: string }>('POST', '/api/v1/devices', { name: 'theirs' }, headers);
    const unknown = randomUUID();
    const answer = await create({ job_content: content({ targets: [devices[0], foreign.body.id, unknown] }) });
    expect(answer.status).toBe(400);
    expect(answer.body.error_msg).toContain(foreign.body.id);
    expect(answer.body.error_msg).toContain(unknown);
    expect(answer.body.error_msg).not.toContain(devices[0]);
  });

  it.each(['-1', '1001', 'ten'])('given a page size of %s, then limit is named', async (limit) => {
    const answer = await stack.api<JobError>('GET', `${jobs}?limit=${limit}`);
    expect(answer.status).toBe(400);
    expect(answer.body.error_msg).toContain('limit');
  });
});

describe('a stranger', () => {
  it('given a token of another project, then the path is forbidden, and an id of ours does not exist for it', async () => {
    const id = await stack.createJob(devices);
    const headers = { authorization: `Bearer ${await stranger()}` };
    expect((await stack.api('GET', `${jobs}/${id}`, undefined, headers)).status).toBe(403);
    expect((await stack.api('GET', `/v2/other/productmgr/jobs/${id}`, undefined, headers)).status).toBe(404);
    expect((await stack.api('GET', `/api/v1/devices/${devices[0]}`, undefined, headers)).status).toBe(404);
    await stack.reached(id, 'Successful');
  });

  it.each(['Bearer nonsense', ''])('given the authorization %j, then the answer is 401', async (authorization) => {
    expect((await stack.api('GET', jobs, undefined, { authorization })).status).toBe(401);
  });
});

describe('hostile devices', () => {
  it('given garbage on every channel of every device, then it is dropped and a job over them goes through', async () => {
    const connection = await stack.nats();
    const garbage = [
      '',
      'no json',
      '[]',
      '{"status":"success"}',
      'x'.repeat(400_000),
      '\u0000',
      '{"reported":"all"}',
      '['.repeat(5_000),
    ];
    for (const device of [...devices, randomUUID(), 'not-a-device']) {
      for (const channel of ['hello', 'heartbeat', 'status', 'report', 'command', 'cancel', 'other']) {
        for (const payload of garbage) connection.publish(`muster.dev.demo.${device}.${channel}`, payload);
      }
    }
    await connection.flush();
    const id = await stack.createJob(devices);
    const job = await stack.reached(id, 'Successful', 'Failed', 'Partially_successful');
    expect(job.status).toBe('Successful');
  });
});

describe('the same request twice', () => {
  it('given an Idempotency-Key, then the second gives the first answer, and another body is refused', async () => {
    const headers = { 'idempotency-key': randomUUID() };
    const first = await create({}, headers);
    const second = await create({}, headers);
    expect(first.status).toBe(201);
    expect(second).toMatchObject({ status: 201, body: first.body });
    const other = await create({ job_name: 'other' }, headers);
    expect(other.status).toBe(422);
    expect(other.body.error_code).toMatch(/^MUS\./);
  });
});
