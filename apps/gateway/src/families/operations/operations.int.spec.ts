import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startGateway, type TestGateway } from '../../testing/gateway.harness.js';
import { FakeOperations } from '../../testing/operations.fake.js';

const OPERATIONS = '/api/v0/operations/';
const DEVICE = '3bafab7b-4400-4bcf-8e6e-09f954699940';
const NOWHERE = '01890000-0000-7000-8000-000000000000';
const body = {
  operation: 'CONVERGE',
  schedule_type: 'IMMEDIATE',
  operation_device_query: {},
  arguments: { converge_with_provision: true, sample_key: 'string' },
  reason: 'string',
};
const report = { operation_type: 'CONVERGE', state: 'SUCCESS', service_id: 'drift-service', reason: 'test' };

let gateway: TestGateway;
let fake: FakeOperations;

beforeAll(async () => {
  gateway = await startGateway();
  fake = new FakeOperations(gateway.bus);
  await fake.start();
});

afterAll(() => gateway.stop());

const create = async () => (await gateway.ask('POST', OPERATIONS, { body })).json<{ id: string }>().id;
const partOf = (id: string) => `${OPERATIONS}${id}/devices/${DEVICE}/`;

describe('given the operations family', () => {
  it('when an operation is created, then 201 answers the document, and device-state knows who and in which zone', async () => {
    const answer = await gateway.ask('POST', OPERATIONS, { body });
    expect(answer.status).toBe(201);
    expect(answer.json()).toMatchObject({ ...body, state: 'CREATED' });
    const [actor] = await gateway.sql('SELECT actor_id FROM token WHERE installation');
    expect(fake.asked.at(-1)).toMatchObject({
      project_id: 'demo',
      operation: body,
      created_by: actor!['actor_id'],
      timezone: 'UTC',
    });
  });

  it('when it is created again with the same key, then the first answer comes again', async () => {
    const headers = { 'idempotency-key': 'once' };
    const first = await gateway.ask('POST', OPERATIONS, { body, headers });
    const second = await gateway.ask('POST', OPERATIONS, { body, headers });
    expect([second.status, second.text]).toEqual([201, first.text]);
    const other = await gateway.ask('POST', OPERATIONS, { body: { ...body, reason: 'other' }, headers });
    expect(other.status).toBe(422);
    expect(other.json()).toEqual({ errors: [], message: expect.any(String) as string, status: 422 });
  });

  it('when one is planned, then device-state is asked what would happen, by the body of a create, and nothing is created', async () => {
    const before = fake.operations.size;
    const operation = { ...body, rollout: { waves: [{ percent: 10 }, {}] } };
    for (const path of [`${OPERATIONS}plan/`, `${OPERATIONS}plan`]) {
      const answer = await gateway.ask('POST', path, { body: operation });
      expect([answer.status, answer.json()]).toMatchObject([200, { targets: { count: 0 }, duration: null }]);
      expect(fake.asked.at(-1)).toEqual({ project_id: 'demo', operation, timezone: 'UTC' });
    }
    expect(fake.operations.size).toBe(before);
  });

  it.each(['viewer', 'operator', 'approver', 'admin', 'service'])('when a %s plans one, then it may', async (role) => {
    const token = await gateway.token(role);
    expect((await gateway.ask('POST', `${OPERATIONS}plan/`, { token, body })).status).toBe(200);
  });

  it('when operations are listed, then they are not wrapped, and the neighbours have addresses', async () => {
    for (let i = 0; i < 3; i++) await create();
    const page = (await gateway.ask('GET', `${OPERATIONS}?limit=1&offset=1`)).json<Record<string, unknown>>();
    expect(Object.keys(page)).toEqual(['count', 'previous', 'next', 'results']);
    expect(page).toMatchObject({
      previous: '/api/v0/operations/?limit=1&offset=0',
      next: '/api/v0/operations/?limit=1&offset=2',
    });
    expect(page['results']).toHaveLength(1);
    expect(fake.asked.at(-1)).toEqual({ project_id: 'demo', limit: 1, offset: 1, ordering: '-created_at' });
    const ofDevice = await gateway.ask('GET', `/api/v0/devices/${DEVICE}/operations/?limit=1`);
    expect(Object.keys(ofDevice.json())).toEqual(['count', 'previous', 'next', 'results']);
    expect(fake.asked.at(-1)).toEqual({ project_id: 'demo', device_id: DEVICE, limit: 1, offset: 0 });
  });

  it.each(['SCHEDULED', '100'])('when the state of a filter is %s, then it is the same state', async (state) => {
    await gateway.ask('GET', `${OPERATIONS}?state=${state}&operation_type=CONVERGE&ordering=updated_at`);
    expect(fake.asked.at(-1)).toMatchObject({
      state: 'SCHEDULED',
      operation_type: 'CONVERGE',
      ordering: 'updated_at',
    });
  });

  it.each(['COMPLETED', '90'])('when device operations are filtered by %s, then they are wrapped', async (state) => {
    const id = await create();
    const answer = await gateway.ask('GET', `${OPERATIONS}${id}/devices/?state=${state}&offset=20`);
    const { content } = answer.json<{ content: object }>();
    expect(content).toMatchObject({
      count: 45,
      previous: `/api/v0/operations/${id}/devices/?state=${state}&offset=0&limit=20`,
      next: `/api/v0/operations/${id}/devices/?state=${state}&offset=21&limit=20`,
      results: [{ operation_id: id }],
    });
    expect(fake.asked.at(-1)).toMatchObject({ operation_id: id, state: 'COMPLETED', limit: 20, offset: 20 });
  });

  it('when a device operation is read, then it is wrapped, with or without a slash at the end', async () => {
    const id = await create();
    for (const path of [partOf(id), partOf(id).slice(0, -1)]) {
      const answer = await gateway.ask('GET', path);
      expect([answer.status, answer.json()]).toMatchObject([200, { content: { operation_id: id, device_id: DEVICE } }]);
    }
  });

  it.each(['CANCELLED', 110])(
    'when an operation is set to %s, then it is cancelled by whoever asked',
    async (state) => {
      const id = await create();
      const answer = await gateway.ask('PUT', OPERATIONS + id, { body: { state, reason: 'enough' } });
      expect([answer.status, answer.json()]).toMatchObject([200, { id, state: 'CANCELLED', reason: 'enough' }]);
    },
  );

  it('when it has ended, then a cancel is 400 and names the state', async () => {
    const id = await create();
    fake.operations.get(id)!.state = 'SUCCESS';
    const answer = await gateway.ask('PUT', OPERATIONS + id, { body: { state: 'CANCELLED' } });
    const message = 'an operation that is SUCCESS cannot be cancelled';
    expect(answer.json()).toEqual({ errors: [{ field: 'state', message }], message: `state: ${message}`, status: 400 });
  });

  it.each([`${OPERATIONS}${NOWHERE}`, `${OPERATIONS}x/devices/`, `${OPERATIONS}${NOWHERE}/devices/${NOWHERE}`])(
    'when %s does not exist, then 404 has the shape of the family',
    async (path) => {
      const answer = await gateway.ask('GET', path);
      expect(answer.json()).toEqual({ errors: [], message: expect.any(String) as string, status: 404 });
    },
  );
});

describe('given who may change a device operation', () => {
  const cancel = { state: 'CANCELLATION_REQUESTED' };

  it.each([
    ['operator', cancel, 200],
    ['operator', report, 403],
    ['service', cancel, 403],
    ['service', report, 200],
    ['admin', cancel, 200],
    ['admin', report, 200],
    ['viewer', cancel, 403],
    ['approver', report, 403],
  ] as const)('when a %s asks %j, then it is %i', async (role, asked, status) => {
    const token = await gateway.token(role);
    const answer = await gateway.ask('PUT', partOf(await create()), { token, body: asked });
    expect(answer.status).toBe(status);
  });

  it.each(['operator', 'admin'] as const)('when an %s asks for CANCELLED, then it hears the word', async (role) => {
    const [token, path] = [await gateway.token(role), partOf(await create())];
    const answer = await gateway.ask('PUT', path, { token, body: { state: 'CANCELLED' } });
    expect(answer.json<{ message: string }>().message).toContain('to cancel, send the state CANCELLATION_REQUESTED');
  });

  it('when a service creates or cancels an operation, then it is 403', async () => {
    const token = await gateway.token('service');
    expect((await gateway.ask('POST', OPERATIONS, { token, body })).status).toBe(403);
    const path = OPERATIONS + (await create());
    expect((await gateway.ask('PUT', path, { token, body: { state: 'CANCELLED' } })).status).toBe(403);
  });

  it.each(['SUCCESS', 50])('when a service reports %s, then its word is what device-state hears', async (state) => {
    const answer = await gateway.ask('PUT', partOf(await create()), { body: { ...report, state } });
    expect(answer.json()).toMatchObject({ content: { state: 'SUCCESS' } });
    expect(fake.asked.at(-1)).toMatchObject({ device_id: DEVICE, report });
  });
});

describe('given what is not as it should be', () => {
  it.each([
    [{ ...body, operation: 'with space' }, 'operation'],
    [{ ...body, operation: '' }, 'operation'],
    [{ ...body, schedule_type: 'LATER' }, 'schedule_type'],
    [{ ...body, schedule_args: { days: [7] } }, 'schedule_args.days.0'],
    [{ ...body, schedule_args: { window_start_time: '25:00' } }, 'schedule_args.window_start_time'],
    [{ ...body, operation_device_query: { colour: 'red' } }, 'operation_device_query'],
    [{ ...body, operation_device_query: { ids: ['x'] } }, 'operation_device_query.ids.0'],
    [{ ...body, arguments: [] }, 'arguments'],
    [{ ...body, surprise: 1 }, 'surprise'],
    [{ ...body, rollout: { max_in_flight: 0 } }, 'rollout.max_in_flight'],
    [{ operation: 'REBOOT' }, 'operation_device_query'],
    [{ ...body, arguments: { a: ['\0'] } }, 'arguments.a.0'],
    [{ ...body, arguments: { a: '\ud800' } }, 'arguments.a'],
  ])('when an operation is created or planned by %j, then 400 names %s', async (wrong, field) => {
    for (const path of [OPERATIONS, `${OPERATIONS}plan/`]) {
      const answer = await gateway.ask('POST', path, { body: wrong });
      const { errors, status } = answer.json<{ errors: { field: string }[]; status: number }>();
      expect([answer.status, status]).toEqual([400, 400]);
      expect(errors.map((error) => error.field)).toContainEqual(expect.stringContaining(field));
    }
  });

  it.each([
    [{ state: 'SUCCESS' }, 'operation_type'],
    [{ ...report, state: 'GONE' }, 'state'],
    [{ ...report, state: 55 }, 'state'],
    [{ ...report, extra: 1 }, 'extra'],
  ])('when a device operation is changed by %j, then 400 names %s', async (wrong, field) => {
    const answer = await gateway.ask('PUT', partOf(await create()), { body: wrong });
    expect(answer.status).toBe(400);
    expect(answer.json<{ errors: { field: string }[] }>().errors[0]!.field).toBe(field);
  });

  it.each(['state=GONE', 'state=11', 'limit=0', 'limit=1001', 'ordering=name', 'colour=red'])(
    'when the query is %s, then 400 names the parameter',
    async (query) => {
      const answer = await gateway.ask('GET', `${OPERATIONS}?${query}`);
      expect([answer.status, answer.text]).toEqual([400, expect.stringContaining(query.split('=')[0]!)]);
    },
  );
});
