import { v7 as uuid } from 'uuid';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FakeCommandDispatcher } from '../../testing/command-dispatcher.fake.js';
import { startGateway, type TestGateway } from '../../testing/gateway.harness.js';

const COMMANDS = '/api/commands/v0/commands/';
const STATUS = '/api/commands/v0/status/';
const NOWHERE = '01890000-0000-7000-8000-000000000000';

let gateway: TestGateway;
let dispatcher: FakeCommandDispatcher;

beforeAll(async () => {
  gateway = await startGateway();
  dispatcher = new FakeCommandDispatcher(gateway.bus);
  await dispatcher.start();
});
afterAll(() => gateway.stop());

interface Enveloped<Content = Record<string, unknown>> {
  code: number;
  message: string;
  content: Content;
}
interface Page {
  count: number;
  previous: string | null;
  next: string | null;
  results: Record<string, unknown>[];
}

const create = async (devices = [uuid()]) =>
  (await gateway.ask('POST', COMMANDS, { body: { command: 'REBOOT', devices } })).json<Enveloped<{ id: string }>>()
    .content.id;

describe('given the commands of the operations family', () => {
  it('when a command is sent, then 201 answers the request in the envelope, and the dispatcher knows who asked in which zone', async () => {
    const body = { command: 'REBOOT', devices: [uuid()], args: { force: true } };
    const answer = await gateway.ask('POST', COMMANDS, { body });
    expect(answer.status).toBe(201);
    expect(answer.json()).toMatchObject({
      code: 0,
      message: '',
      content: { command: 'REBOOT', devices: body.devices, args: { force: true }, request_status: 'running' },
    });
    const [actor] = await gateway.sql('SELECT actor_id FROM token WHERE installation');
    expect(dispatcher.asked.at(-1)).toMatchObject({
      project_id: 'demo',
      request: body,
      created_by: actor!['actor_id'],
      timezone: 'UTC',
    });
  });

  it('when the same create comes twice with its key, then it is made once; with another body, then 422', async () => {
    const headers = { 'Idempotency-Key': uuid() };
    const body = { command: 'REBOOT', devices: [uuid()] };
    const [first, again] = [
      await gateway.ask('POST', COMMANDS, { body, headers }),
      await gateway.ask('POST', COMMANDS, { body, headers }),
    ];
    expect(again.json()).toEqual(first.json());
    const other = await gateway.ask('POST', COMMANDS, { body: { ...body, command: 'other' }, headers });
    expect([other.status, other.json()]).toMatchObject([422, { status: 422 }]);
  });

  it('when a request is read and counted, then its document and its stats', async () => {
    const id = await create();
    expect((await gateway.ask('GET', COMMANDS + id)).json()).toMatchObject({ code: 0, content: { id } });
    expect((await gateway.ask('GET', `${COMMANDS}${id}/stats/`)).json()).toMatchObject({
      content: { total: 1, QUEUED: 1, SUCCESS: 0 },
    });
  });

  it('when requests are listed, then pages that name their neighbours', async () => {
    for (let made = 0; made < 3; made++) await create();
    const { content } = (await gateway.ask('GET', `${COMMANDS}?limit=2&offset=1`)).json<Enveloped<Page>>();
    expect(content.results).toHaveLength(2);
    expect(content.count).toBe(dispatcher.requests.size);
    expect(content.previous).toBe(`${COMMANDS}?limit=2&offset=0`);
    expect((await gateway.ask('GET', content.next!)).status).toBe(200);
  });

  it.each([STATUS, `${COMMANDS}status/`])(
    'when statuses are asked for at %s, then the vendor’s words and ours, by filter and by id',
    async (path) => {
      const [request, device] = [await create(), uuid()];
      await create([device]);
      const { content } = (await gateway.ask('GET', `${path}?device=${device}&state=QUEUED,SUCCESS`)).json<
        Enveloped<Page>
      >();
      expect(content).toMatchObject({ count: 1, results: [{ device, state: 'QUEUED', waits_for: 'offline' }] });
      expect(content.results[0]).not.toHaveProperty('device_id');
      await gateway.ask('GET', `${path}?request=${request},${NOWHERE}`);
      expect(dispatcher.asked.at(-1)).toEqual({
        project_id: 'demo',
        request: [request, NOWHERE],
        limit: 20,
        offset: 0,
      });
      const { id } = content.results[0] as { id: string };
      expect((await gateway.ask('GET', path + id)).json()).toMatchObject({ content: { id, device } });
      const cancelled = await gateway.ask('PUT', path + id, { body: { state: 'CANCELLED', reason: 'not now' } });
      expect(cancelled.json()).toMatchObject({ content: { id, state: 'CANCELLED', reason: 'not now' } });
    },
  );

  it('when a request is cancelled, then 200 answers it', async () => {
    const id = await create();
    const answer = await gateway.ask('PUT', COMMANDS + id, { body: { state: 'CANCELLED' } });
    expect([answer.status, answer.json()]).toMatchObject([
      200,
      { content: { request_status: 'cancelled', request_status_reason: 'cancelled by a user' } },
    ]);
  });

  it.each([
    ['POST', COMMANDS, { command: 'has blanks', devices: [uuid()] }, 'command'],
    ['POST', COMMANDS, { command: 'x' }, 'devices'],
    ['POST', COMMANDS, { command: 'x', devices: ['y'] }, 'devices.0'],
    ['POST', COMMANDS, { command: 'x', devices: [uuid()], surprise: 1 }, 'surprise'],
    ['POST', COMMANDS, { command: 'x', devices: [uuid()], priority: 1e9 }, 'priority'],
    ['POST', COMMANDS, { command: 'x', devices: [uuid()], retry: [{ outcome: 'any', max: 101 }] }, 'retry.0.max'],
    ['POST', COMMANDS, { command: 'x', devices: [uuid()], schedule_args: { days: [7] } }, 'schedule_args.days.0'],
    ['PUT', COMMANDS + NOWHERE, { state: 'SUCCESS' }, 'state'],
    ['GET', `${STATUS}?state=DONE`, undefined, 'state.0'],
    ['GET', `${STATUS}?device=me`, undefined, 'device.0'],
  ])('when %s %s has %o, then 400 names the field', async (method, path, body, field) => {
    const answer = await gateway.ask(method, path, { body });
    expect(answer.status).toBe(400);
    const { errors, message, status } = answer.json<{
      errors: { field: string }[];
      message: string;
      status: number;
    }>();
    expect([errors[0]!.field, status]).toEqual([field, 400]);
    expect(message).toContain(field);
  });

  it('when a command is set to what only its device can say, or a query asks for no tags, then 400 says what may stand there', async () => {
    const state = await gateway.ask('PUT', COMMANDS + NOWHERE, { body: { state: 'SUCCESS' } });
    expect(state.json()).toMatchObject({ errors: [{ field: 'state', message: 'must be CANCELLED' }] });
    const body = { command: 'x', command_type: 'DYNAMIC', query: { tags: [] } };
    const tags = await gateway.ask('POST', COMMANDS, { body });
    expect(tags.json()).toMatchObject({ errors: [{ field: 'query.tags', message: 'must not be empty' }] });
  });

  it('when a query nests without end, then 400', async () => {
    let query: object = { online: true };
    for (let depth = 0; depth < 100; depth++) query = { not: query };
    const answer = await gateway.ask('POST', COMMANDS, { body: { command: 'x', command_type: 'DYNAMIC', query } });
    expect([answer.status, answer.json()]).toMatchObject([400, { status: 400 }]);
  });

  it.each([COMMANDS + NOWHERE, STATUS + NOWHERE, `${COMMANDS}not-an-id`, `${COMMANDS}${NOWHERE}/stats`])(
    'when nothing is at %s, then 404 in the shape of the family',
    async (path) => {
      const answer = await gateway.ask('GET', path);
      expect([answer.status, answer.json()]).toMatchObject([404, { errors: [], status: 404 }]);
    },
  );

  it('when a viewer sends a command, then 403', async () => {
    const token = await gateway.token('viewer', 'demo');
    const answer = await gateway.ask('POST', COMMANDS, { token, body: { command: 'x', devices: [uuid()] } });
    expect([answer.status, answer.json()]).toMatchObject([403, { status: 403 }]);
    expect((await gateway.ask('GET', COMMANDS, { token })).status).toBe(200);
  });
});
