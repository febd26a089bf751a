import { v7 as uuid } from 'uuid';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startGateway, type Ask, type TestGateway } from '../../testing/gateway.harness.js';
import { FakePipelines } from '../../testing/pipelines.fake.js';

const FAMILY = '/api/pipelines/v0';
const PIPELINES = `${FAMILY}/pipelines/`;
const NOWHERE = '01890000-0000-7000-8000-000000000000';

type Content = Record<string, unknown> & { id: string };
interface Enveloped<C = Content> {
  code: number;
  message: string;
  content: C;
}
type Refused = Enveloped<{ errors: { field: string; message: string }[] }>;
type Page = { count: number; previous: string | null; next: string | null; results: Content[] };

let gateway: TestGateway;
let fake: FakePipelines;
let enterprise_id: string;
let actor: number;

beforeAll(async () => {
  gateway = await startGateway();
  fake = new FakePipelines(gateway.bus);
  await fake.start();
  const [project] = await gateway.sql(`SELECT id FROM project WHERE slug = 'demo'`);
  enterprise_id = project!['id'] as string;
  const [token] = await gateway.sql('SELECT actor_number FROM token WHERE installation');
  actor = token!['actor_number'] as number;
});

afterAll(() => gateway.stop());

const ask = async <C = Content>(method: string, path: string, options: Ask = {}) => {
  const answer = await gateway.ask(method, path, options);
  return { status: answer.status, ...answer.json<Enveloped<C>>() };
};
const create = async (path: string, body: object) => (await ask('POST', path, { body })).content.id;
const lastAsked = () => fake.asked.at(-1)!;

/** The paths of one of each kind, and of what it lies in. */
async function whole() {
  const pipeline = PIPELINES + (await create(PIPELINES, { name: 'p' }));
  const stageId = await create(`${pipeline}/stages/`, { name: 's' });
  const stage = `${FAMILY}/stages/${stageId}`;
  const listId = await create(`${pipeline}/targetlists/`, { name: 'l', target_list_type: 'DEVICES' });
  const list = `${pipeline}/targetlists/${listId}`;
  const operationsId = await create(`${stage}/operationlists/`, { name: 'o' });
  const operations = `${FAMILY}/operationlists/${operationsId}/operations`;
  return { pipeline, stageId, stage, listId, list, operationsId, operations };
}

describe('given the pipelines family', () => {
  it('when a pipeline is created, then 200 answers the document in the envelope, and job-planner knows who', async () => {
    const answer = await ask('POST', PIPELINES, { body: { name: 'p', timeout_seconds: 60 } });
    expect(answer).toEqual({
      status: 200,
      code: 0,
      message: '',
      content: {
        id: expect.stringMatching(/^[0-9a-f-]{36}$/) as string,
        enterprise_id,
        name: 'p',
        timeout_seconds: 60,
        is_visible: true,
        is_archived: false,
        created_by: actor,
        updated_by: actor,
        created_at: expect.any(String) as string,
        updated_at: expect.any(String) as string,
      },
    });
    expect(lastAsked()).toEqual({
      method: 'createPipeline',
      request: { project_id: 'demo', id: answer.content.id, definition: { name: 'p', timeout_seconds: 60 }, by: actor },
    });
  });

  type Whole = Awaited<ReturnType<typeof whole>>;
  const creates: [what: string, path: (of: Whole) => string, body: (of: Whole) => object, other: object][] = [
    ['pipeline', () => PIPELINES.slice(0, -1), () => ({ name: 'x' }), { name: 'y' }],
    ['stage', ({ pipeline }) => `${pipeline}/stages`, () => ({ name: 'x' }), { name: 'y' }],
    [
      'target list',
      ({ pipeline }) => `${pipeline}/targetlists`,
      () => ({ name: 'x', target_list_type: 'GROUPS' }),
      { name: 'x', target_list_type: 'DEVICES' },
    ],
    ['target', ({ list }) => `${list}/targets`, () => ({ device_id: uuid() }), { device_id: NOWHERE }],
    [
      'device group',
      ({ list }) => `${list}/devicegroups`,
      () => ({ device_group_id: uuid() }),
      { device_group_id: NOWHERE },
    ],
    [
      'link',
      ({ stage }) => `${stage}/targetlists`,
      ({ listId }) => ({ target_list_id: listId }),
      { target_list_id: NOWHERE },
    ],
    ['list of operations', ({ stage }) => `${stage}/operationlists`, () => ({ name: 'x' }), { name: 'y' }],
    ['command', ({ operations }) => operations, () => ({ operation_type: 'REBOOT' }), { operation_type: 'WIPE' }],
  ];

  it.each(creates)(
    'when the create of a %s is repeated with its key, then the first answer comes again; with another body it is 422',
    async (what, pathOf, bodyOf, other) => {
      const within = await whole();
      const [path, body, headers] = [pathOf(within), bodyOf(within), { 'idempotency-key': `a ${what}` }];
      const first = await gateway.ask('POST', path, { body, headers });
      const second = await gateway.ask('POST', `${path}/`, { body, headers });
      expect([first.status, second.status, second.text]).toEqual([200, 200, first.text]);
      const refused = await ask<Refused['content']>('POST', path, { body: other, headers });
      const message = 'Idempotency-Key: was used for another request';
      expect(refused).toEqual({ status: 422, code: 422, message, content: { errors: [] } });
    },
  );

  it('when a list is read, then it is paged by offset, and the neighbours have addresses', async () => {
    for (let more = 0; more < 3; more++) await create(PIPELINES, { name: 'listed' });
    const { status, content } = await ask<Page>(
      'GET',
      `${PIPELINES}?limit=1&offset=1&name=p&default=false&ordering=-name`,
    );
    expect(status).toBe(200);
    expect(Object.keys(content)).toEqual(['count', 'previous', 'next', 'results']);
    const query = 'limit=1&offset=0&name=p&default=false&ordering=-name';
    expect(content).toMatchObject({
      previous: `${PIPELINES}?${query}`,
      next: `${PIPELINES}?${query.replace('offset=0', 'offset=2')}`,
      results: [{ enterprise_id, is_visible: true }],
    });
    expect(lastAsked().request).toEqual({
      ...{ project_id: 'demo', limit: 1, offset: 1 },
      ...{ name: 'p', is_default: false, ordering: '-name' },
    });
    const { pipeline } = await whole();
    expect((await ask<Page>('GET', `${pipeline}/stages/`)).content.results[0]).toMatchObject({ enterprise_id });
    expect(lastAsked().request).toMatchObject({ limit: 20, offset: 0 });
  });

  /** A change of one of each kind, with those above later. */
  async function changes(): Promise<[path: string, change: object][]> {
    const { pipeline, stageId, list, stage, operationsId, operations } = await whole();
    const target = `${list}/targets/${await create(`${list}/targets/`, { device_id: uuid() })}`;
    const operation = `${operations}/${await create(operations, { operation_type: 'REBOOT', args: { a: 1 } })}`;
    return [
      [operation, { args: { b: 2 } }],
      [`${stage}/operationlists/${operationsId}`, { description: 'd' }],
      [target, { is_active: false }],
      [list, { name: 'renamed' }],
      [`${pipeline}/stages/${stageId}`, { order: 1, promotion: 'manual', rollout: { max_in_flight: 3 } }],
      [pipeline, { is_active: false }],
    ];
  }

  it('when each kind is read, changed and deleted, then the object is the content, with or without a slash', async () => {
    for (const [path, change] of await changes()) {
      const changed = await ask('PUT', `${path}/`, { body: change });
      expect([path, changed]).toMatchObject([
        path,
        { status: 200, code: 0, content: { ...change, updated_by: actor } },
      ]);
      const shown = await ask('GET', path);
      expect(shown).toEqual(changed);
      expect(await ask('DELETE', `${path}/`)).toEqual(shown);
      expect((await ask('GET', `${path}/`)).status).toBe(404);
    }
  });

  it('when a whole document is sent back, then it changes what may change, and the rest of it is ignored', async () => {
    const at = '2019-08-24T14:15:22Z';
    const read = { id: NOWHERE, pipeline_id: NOWHERE, created_by: -1, updated_by: -1, created_at: at, updated_at: at };
    const { pipeline_id: _, ...ofPipeline } = {
      ...read,
      enterprise_id,
      is_valid: true,
      is_visible: true,
      is_archived: false,
    };
    const device = { device_id: NOWHERE, device_name: 'd', device_alias: 'a', is_active: true };
    const settings = { promotion: 'auto', on_failure: 'stop', rollout: {}, order: 2 };
    const described = { name: 'n', description: 'd' };
    const documents = [
      [
        { ...read, operation_list_id: NOWHERE },
        { operation_type: 'WIPE', args: { c: [3] } },
      ],
      [{ ...read, stage_id: NOWHERE }, described],
      [read, device],
      [read, { name: 'n', target_list_type: 'DEVICES' }],
      [
        { ...read, enterprise_id },
        { ...described, timeout_seconds: 9, ...settings },
      ],
      [ofPipeline, { ...described, timeout_seconds: 9, is_active: true, is_default: false }],
    ] as const;
    for (const [place, [path]] of (await changes()).entries()) {
      const [rest, change] = documents[place]!;
      const { status, content } = await ask('PUT', path, { body: { ...rest, ...change } });
      expect([path, status, content]).toMatchObject([path, 200, { ...change, updated_by: actor }]);
      expect(lastAsked().request['change']).toEqual(change);
    }
  });

  it('when a target list comes back with another type, then 400 names it', async () => {
    const { list } = await whole();
    const { content: read } = await ask('GET', list);
    const body = { name: 'lost', target_list_type: 'GROUPS' };
    const { status, content } = await ask<Refused['content']>('PUT', list, { body });
    expect([status, content.errors.map(({ field }) => field)]).toEqual([400, ['target_list_type']]);
    expect((await ask('GET', list)).content).toEqual(read);
  });

  it('when a target list is linked with a stage and unlinked, then the list is the content', async () => {
    const { stage, stageId, listId } = await whole();
    for (const [method, path, body] of [
      ['POST', `${stage}/targetlists/`, { target_list_id: listId }],
      ['DELETE', `${stage}/targetlists/${listId}/`, undefined],
    ] as const) {
      const answer = await ask(method, path, body && { body });
      expect(answer).toMatchObject({ status: 200, code: 0, content: { id: listId, target_list_type: 'DEVICES' } });
      expect(lastAsked().request).toEqual({ project_id: 'demo', stage_id: stageId, target_list_id: listId });
    }
    const { content } = await ask<Page>('GET', `${stage}/targetlists/?limit=1`);
    expect(content.results).toHaveLength(1);
    await ask<Page>('GET', `${stage}/targetlists/?type=groups`);
    expect(lastAsked().request).toMatchObject({ stage_id: stageId, target_list_type: 'GROUPS', offset: 0 });
    const refused = await ask<Refused['content']>('GET', `${stage}/targetlists/?type=GROUPS`);
    expect([refused.status, refused.content.errors[0]!.field]).toEqual([400, 'type']);
  });

  it('when a group is taken out of a list, then its document also has the two words of the vendor', async () => {
    const { list, listId } = await whole();
    const device_group_id = uuid();
    const id = await create(`${list}/devicegroups/`, { device_group_id });
    expect((await ask('GET', `${list}/devicegroups/${id}/`)).content).toMatchObject({ id, device_group_id });
    const { results } = (await ask<Page>('GET', `${list}/devicegroups/`)).content;
    expect(results.map((one) => one.id)).toContain(id);
    expect(await ask('DELETE', `${list}/devicegroups/${id}/`)).toMatchObject({
      status: 200,
      content: { id, target_list: listId, device_group: device_group_id },
    });
  });

  it('when operations are filtered by their type, then job-planner hears it', async () => {
    const { operations, operationsId } = await whole();
    await ask('GET', `${operations}/?operation_type=REBOOT`);
    expect(lastAsked().request).toEqual({
      ...{ project_id: 'demo', operation_list_id: operationsId, operation_type: 'REBOOT' },
      ...{ limit: 20, offset: 0 },
    });
  });
});

describe('given many targets at once', () => {
  interface Added {
    added_count: number;
    targets: { device_id: string }[];
  }

  it('when they are added, then the answer has those of all devices in their order, each once, and what was new', async () => {
    const { list } = await whole();
    const devices = Array.from({ length: 1_500 }, () => uuid()).reverse();
    await ask('POST', `${list}/targets-bulk/`, { body: devices.slice(0, 100) });
    const body = [...devices, devices[0]!.toUpperCase()];
    const { status, code, content } = await ask<Added>('POST', `${list}/targets-bulk`, { body });
    expect([status, code]).toEqual([200, 0]);
    expect(content).toMatchObject({ created_count: 1_400, added_count: 1_400, skipped_count: 100, errors: [] });
    expect(content.targets.map(({ device_id }) => device_id)).toEqual(devices);
  });

  it('when some are unknown, then 400 names their places in the list', async () => {
    const { list } = await whole();
    const dead = `dead${uuid().slice(4)}`;
    const message = `no device ${dead}`;
    expect(await ask('POST', `${list}/targets-bulk/`, { body: [uuid(), dead] })).toEqual({
      status: 400,
      code: 400,
      message: `1: ${message}`,
      content: { errors: [{ field: '1', message }] },
    });
  });

  it.each([
    ['no list', '', { device_ids: [] }],
    ['a list with what is no id', '0', ['x']],
    ['a list with a number', '1', [NOWHERE, 5]],
    ['too long a list', '', Array(10_001).fill(NOWHERE)],
  ])('when the body is %s, then 400 names the place', async (_what, field, body) => {
    const { status, content } = await ask<Refused['content']>('POST', `${(await whole()).list}/targets-bulk/`, {
      body,
    });
    expect([status, content.errors[0]!.field]).toEqual([400, field]);
  });

  it('when the body is larger than a body may be, then 413 has the shape of the family', async () => {
    const body = Array<string>(28_000).fill(NOWHERE);
    expect(await ask('POST', `${(await whole()).list}/targets-bulk/`, { body })).toMatchObject({
      status: 413,
      code: 413,
      message: expect.stringContaining('add at most 10000 targets at once') as string,
    });
  });
});

describe('given who asks', () => {
  it('when there is no token, a role that may only read, or another project, then the refusal has the shape of the family', async () => {
    const { pipeline } = await whole();
    const refusal = (status: number) => ({
      status,
      code: status,
      message: expect.any(String) as string,
      content: { errors: [] },
    });
    expect(await ask('GET', PIPELINES, { token: null })).toEqual(refusal(401));
    const viewer = await gateway.token('viewer');
    expect((await ask('GET', `${pipeline}/`, { token: viewer })).status).toBe(200);
    for (const [method, path, body] of [
      ['POST', PIPELINES, { name: 'x' }],
      ['PUT', pipeline, { name: 'x' }],
      ['DELETE', pipeline, undefined],
      ['POST', `${pipeline}/targetlists/${NOWHERE}/targets-bulk/`, []],
    ] as const)
      expect(await ask(method, path, { token: viewer, ...(body && { body }) })).toEqual(refusal(403));
    const stranger = await gateway.token('admin', 'elsewhere');
    expect(await ask('GET', pipeline, { token: stranger })).toEqual(refusal(404));
    expect(await ask('PATCH', pipeline, { body: {} })).toEqual(refusal(405));
    expect(await ask('GET', `${FAMILY}/nothing/`)).toEqual(refusal(404));
  });
});

describe('given what is not as it should be', () => {
  const name = 'x';
  const long = 'x'.repeat(129);
  const stages = `pipelines/${NOWHERE}/stages/`;
  const stage = `${stages}${NOWHERE}`;
  const targets = `pipelines/${NOWHERE}/targetlists/${NOWHERE}/targets/`;
  const operations = `operationlists/${NOWHERE}/operations/`;

  it.each([
    ['POST', 'pipelines/', 'name', {}],
    ['POST', 'pipelines/', 'name', { name: '' }],
    ['POST', 'pipelines/', 'name', { name: long }],
    ['POST', 'pipelines/', 'name', { name: 'a\u0007b' }],
    ['POST', 'pipelines/', 'description', { name, description: 'x'.repeat(1025) }],
    ['POST', 'pipelines/', 'timeout_seconds', { name, timeout_seconds: 0 }],
    ['POST', 'pipelines/', 'timeout_seconds', { name, timeout_seconds: 1.5 }],
    ['POST', 'pipelines/', 'is_valid', { name, is_valid: true }],
    ['PUT', `pipelines/${NOWHERE}`, 'is_default', { is_default: 'yes' }],
    ['POST', stages, 'order', { name, order: 1 }],
    ['POST', stages, 'promotion', { name, promotion: 'later' }],
    ['POST', stages, 'rollout.max_in_flight', { name, rollout: { max_in_flight: 0 } }],
    ['PUT', stage, 'order', { order: 0 }],
    ['PUT', stage, 'order', { order: 101 }],
    ['PUT', stage, 'on_failure', { on_failure: 'retry' }],
    ['POST', `pipelines/${NOWHERE}/targetlists/`, 'target_list_type', { name }],
    ['POST', `pipelines/${NOWHERE}/targetlists/`, 'target_list_type', { name, target_list_type: 'COLLECTIONS' }],
    ['PUT', `pipelines/${NOWHERE}/targetlists/${NOWHERE}`, 'target_list_type', { target_list_type: 'COLLECTIONS' }],
    ['PUT', `pipelines/${NOWHERE}`, 'is_archived', { is_archived: true }],
    ['PUT', `pipelines/${NOWHERE}`, 'created_by', { created_by: 'me' }],
    ['PUT', `pipelines/${NOWHERE}`, 'stage_id', { stage_id: NOWHERE }],
    ['POST', targets, 'device_id', { device_name: name }],
    ['PUT', targets + NOWHERE, 'device_id', { device_id: 'x' }],
    ['POST', `pipelines/${NOWHERE}/targetlists/${NOWHERE}/devicegroups/`, 'device_group_id', { device_group_id: 'x' }],
    ['POST', `stages/${NOWHERE}/targetlists/`, 'target_list_id', {}],
    ['POST', `stages/${NOWHERE}/operationlists/`, 'stage_id', { name, stage_id: NOWHERE }],
    ['POST', operations, 'operation_type', { args: {} }],
    ['POST', operations, 'operation_type', { operation_type: 'with space' }],
    ['POST', operations, 'args', { operation_type: 'REBOOT', args: '{}' }],
    ['PUT', operations + NOWHERE, 'args.a.0', { args: { a: ['\0'] } }],
  ])('when %s %s is wrong, then 400 names %s', async (method, path, field, body) => {
    const { status, code, content } = await ask<Refused['content']>(method, `${FAMILY}/${path}`, { body });
    expect([status, code, content.errors.map((error) => error.field)]).toEqual([400, 400, [field]]);
  });

  it.each(['default=yes', 'ordering=id', 'limit=0', 'limit=1001', 'offset=-1', 'colour=red'])(
    'when the query is %s, then 400 names the parameter',
    async (query) => {
      const { status, content } = await ask<Refused['content']>('GET', `${PIPELINES}?${query}`);
      expect([status, content.errors[0]!.field]).toEqual([400, query.split('=')[0]]);
    },
  );

  it.each([`pipelines/x/`, `pipelines/${NOWHERE}/`, `pipelines/x/stages/`, stage, `${operations}x`])(
    'when %s names nothing, then 404',
    async (path) => {
      expect(await ask('GET', `${FAMILY}/${path}`)).toMatchObject({ status: 404, code: 404, content: { errors: [] } });
    },
  );
});
