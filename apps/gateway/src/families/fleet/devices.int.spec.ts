import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { startGateway, type TestGateway } from '../../testing/gateway.harness.js';
import { FakeDeviceState } from '../../testing/services.fake.js';

const DEVICES = '/api/v1/devices';

let gateway: TestGateway;
let fleet: FakeDeviceState;

beforeAll(async () => {
  gateway = await startGateway();
  fleet = new FakeDeviceState(gateway.bus);
  await fleet.start();
});

afterAll(() => gateway.stop());

beforeEach(() => fleet.devices.clear());

const register = async (body: object) => (await gateway.ask('POST', DEVICES, { body })).json<{ id: string }>().id;

const page = async (query: string) => {
  const answer = await gateway.ask('GET', `${DEVICES}?${query}`);
  expect(answer.status).toBe(200);
  return answer.json<{ devices: { id: string; name: string }[]; next: string | null }>();
};

describe('given the devices of the fleet', () => {
  it('when one is registered, then 201 answers its document, and it can be read', async () => {
    const body = { name: 'atl-1', timezone: 'America/New_York', tags: ['edge'], attributes: { site: 'ATL' } };
    const answer = await gateway.ask('POST', DEVICES, { body });
    expect(answer.status).toBe(201);
    expect(answer.json()).toMatchObject({ ...body, project_id: 'demo', online: false, state: 'REGISTERED' });
    const { id } = answer.json<{ id: string }>();
    expect((await gateway.ask('GET', `${DEVICES}/${id.toUpperCase()}/`)).json()).toEqual(answer.json());
  });

  it('when the name is taken, then 409 names it and the device stays as it was', async () => {
    const id = await register({ name: 'taken', alias: 'first' });
    const answer = await gateway.ask('POST', DEVICES, { body: { name: 'taken', alias: 'second' } });
    expect([answer.status, answer.json()]).toMatchObject([409, { title: 'Conflict', detail: 'name: taken is taken' }]);
    expect(fleet.devices.get(id)?.alias).toBe('first');
  });

  it('when one is patched, then the changed document comes back', async () => {
    const id = await register({ name: 'p' });
    const answer = await gateway.ask('PATCH', `${DEVICES}/${id}`, { body: { alias: 'new', tags: ['a', 'b'] } });
    expect([answer.status, answer.json()]).toMatchObject([200, { id, alias: 'new', tags: ['a', 'b'] }]);
  });

  it('when they are listed in pages, then each comes once and next is null at the end', async () => {
    const ids: string[] = [];
    for (const name of ['a', 'b', 'c', 'd', 'e']) ids.push(await register({ name }));
    const first = await page('limit=2');
    const second = await page(`limit=2&after=${first.next}`);
    const third = await page(`limit=2&after=${second.next}`);
    expect([...first.devices, ...second.devices, ...third.devices].map(({ id }) => id)).toEqual(ids.sort());
    expect(third.next).toBeNull();
  });

  it('when they are filtered, then all of the conditions hold', async () => {
    await register({ name: 'edge-1', type: 'node', tags: ['eu', 'edge'] });
    await register({ name: 'edge-2', type: 'node', tags: ['us'] });
    await register({ name: 'core-1', type: 'switch', tags: ['eu'] });
    const names = async (query: string) => (await page(query)).devices.map(({ name }) => name).sort();
    expect(await names('tag=eu')).toEqual(['core-1', 'edge-1']);
    expect(await names('tag=eu&type=node')).toEqual(['edge-1']);
    expect(await names('name_prefix=edge')).toEqual(['edge-1', 'edge-2']);
    expect(await names('online=true')).toEqual([]);
    expect(await names('online=false')).toHaveLength(3);
  });

  it.each(['01890000-0000-7000-8000-000000000000', 'no-id'])(
    'when the id in the path is %s, then it is 404',
    async (id) => {
      expect((await gateway.ask('GET', `${DEVICES}/${id}`)).json()).toMatchObject({ status: 404, title: 'Not Found' });
      expect((await gateway.ask('PATCH', `${DEVICES}/${id}`, { body: { alias: 'x' } })).status).toBe(404);
    },
  );
});

describe('given input that is not as it should be', () => {
  it.each([
    ['POST', {}, 'name'],
    ['POST', { name: '' }, 'name'],
    ['POST', { name: 'x', tags: ['a', 'a'] }, 'tags'],
    ['POST', { name: 'x', attributes: [] }, 'attributes'],
    ['POST', { name: 'x', online: true }, 'online'],
    ['PATCH', { name: 'renamed' }, 'name'],
    ['PATCH', { desired: 'up' }, 'desired'],
  ])('when %s %j, then 400 lists %s', async (method, body, field) => {
    const path = method === 'PATCH' ? `${DEVICES}/${await register({ name: 'good' })}` : DEVICES;
    const answer = await gateway.ask(method, path, { body });
    expect(answer.status).toBe(400);
    expect(answer.json<{ errors: { field: string }[] }>().errors.map((error) => error.field)).toContain(field);
  });

  it('when a rule of the service is broken, then its 400 arrives', async () => {
    const answer = await gateway.ask('POST', DEVICES, { body: { name: 'x', timezone: 'Mars/Base' } });
    expect([answer.status, answer.json()]).toMatchObject([
      400,
      {
        detail: 'timezone: is not an IANA time zone',
        errors: [{ field: 'timezone', message: 'is not an IANA time zone' }],
      },
    ]);
  });

  it.each([
    'limit=-1',
    'limit=1001',
    'online=yes',
    'online=1',
    'after=x',
    'tag=',
    'tag=a&tag=b',
    'state=online',
    'group=g',
    'kind=a',
  ])('when the query is %s, then 400 names the parameter', async (query) => {
    const answer = await gateway.ask('GET', `${DEVICES}?${query}`);
    expect(answer.status).toBe(400);
    expect(answer.json()).toMatchObject({ errors: [{ field: query.split('=')[0] }] });
  });
});
