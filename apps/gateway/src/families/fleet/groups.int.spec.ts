import { deviceGroups, DomainError, type DeviceGroup } from '@muster/contracts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startGateway, type TestGateway } from '../../testing/gateway.harness.js';
import { answerRpc } from '../../testing/services.fake.js';

const GROUPS = '/api/v1/groups';
const ID = '01890000-0000-7000-8000-000000000001';
const DEVICE = '01890000-0000-7000-8000-0000000000d1';
const TIME = '2025-01-01T00:00:00.000Z';

const known: DeviceGroup = {
  id: ID,
  project_id: 'demo',
  name: 'known',
  parent_id: null,
  kind: 'list',
  query: null,
  device_count: 2,
  created_at: TIME,
  updated_at: TIME,
};

let gateway: TestGateway;
/** What device-state was asked, in order. */
const asked: unknown[] = [];

beforeAll(async () => {
  gateway = await startGateway();
  const noted = <T>(request: unknown, answer: T): T => {
    asked.push(request);
    return answer;
  };
  const { bus } = gateway;
  answerRpc(bus, deviceGroups.createGroup, (request) =>
    noted(request, { ...known, id: request.id, name: request.group.name }),
  );
  answerRpc(bus, deviceGroups.getGroup, ({ id }) => {
    if (id !== ID) throw new DomainError('not_found', `no group ${id}`);
    return known;
  });
  answerRpc(bus, deviceGroups.listGroups, (request) => noted(request, { groups: [known], next: null }));
  answerRpc(bus, deviceGroups.patchGroup, (request) => noted(request, { ...known, name: 'changed' }));
  answerRpc(bus, deviceGroups.deleteGroup, () => {
    throw new DomainError('conflict', 'group low is below it');
  });
  answerRpc(bus, deviceGroups.listGroupDevices, (request) => noted(request, { devices: [], next: null }));
  answerRpc(bus, deviceGroups.addToGroup, (request) => noted(request, { changed: 1, group: known }));
  answerRpc(bus, deviceGroups.removeFromGroup, (request) => noted(request, { changed: 2, group: known }));
  await bus.flush();
});

afterAll(() => gateway.stop());

const lastAsked = () => asked.at(-1);

describe('given groups of devices', () => {
  it('when one is made, then 201 answers it, and the same key gives the same group', async () => {
    const ask = () =>
      gateway.ask('POST', GROUPS, {
        body: { name: 'new', parent_id: ID, device_ids: [DEVICE] },
        headers: { 'idempotency-key': 'group-1' },
      });
    const answer = await ask();
    expect([answer.status, answer.json()]).toMatchObject([201, { name: 'new', kind: 'list' }]);
    expect(lastAsked()).toMatchObject({
      project_id: 'demo',
      group: { name: 'new', parent_id: ID, device_ids: [DEVICE] },
    });
    expect((await ask()).json()).toEqual(answer.json());
  });

  it('when they are listed, then filters go with the question, and null means those at the top', async () => {
    expect((await gateway.ask('GET', GROUPS)).json()).toEqual({ groups: [known], next: null });
    expect(lastAsked()).toEqual({ project_id: 'demo', limit: 100 });
    await gateway.ask('GET', `${GROUPS}?parent_id=null&name_prefix=k&limit=5&after=${ID}`);
    expect(lastAsked()).toEqual({ project_id: 'demo', limit: 5, after: ID, parent_id: null, name_prefix: 'k' });
    await gateway.ask('GET', `${GROUPS}?parent_id=${ID}`);
    expect(lastAsked()).toMatchObject({ parent_id: ID });
  });

  it('when one is shown, changed, or asked for its devices, then it is the one of the path', async () => {
    expect((await gateway.ask('GET', `${GROUPS}/${ID.toUpperCase()}/`)).json()).toEqual(known);
    const patched = await gateway.ask('PATCH', `${GROUPS}/${ID}`, { body: { name: 'changed', parent_id: null } });
    expect([patched.status, patched.json()]).toMatchObject([200, { name: 'changed' }]);
    expect(lastAsked()).toEqual({ project_id: 'demo', id: ID, patch: { name: 'changed', parent_id: null } });
    await gateway.ask('GET', `${GROUPS}/${ID}/devices?limit=7&after=${DEVICE}`);
    expect(lastAsked()).toEqual({ project_id: 'demo', id: ID, limit: 7, after: DEVICE });
  });

  it('when devices are put in and taken out, then the answer says how many', async () => {
    const body = { device_ids: [DEVICE] };
    expect((await gateway.ask('POST', `${GROUPS}/${ID}/devices`, { body })).json()).toEqual({
      added: 1,
      device_count: 2,
    });
    expect((await gateway.ask('POST', `${GROUPS}/${ID}/devices/remove`, { body })).json()).toEqual({
      removed: 2,
      device_count: 2,
    });
    expect((await gateway.ask('DELETE', `${GROUPS}/${ID}/devices/${DEVICE}`)).status).toBe(204);
    expect(lastAsked()).toEqual({ project_id: 'demo', id: ID, device_ids: [DEVICE] });
  });

  it('when one that others depend on is deleted, then 409 says which', async () => {
    const answer = await gateway.ask('DELETE', `${GROUPS}/${ID}`);
    expect([answer.status, answer.json()]).toMatchObject([409, { detail: 'group low is below it' }]);
  });
});

describe('given input that is not as it should be', () => {
  it.each([
    [{}, 'name'],
    [{ name: '' }, 'name'],
    [{ name: 'x', parent_id: 'top' }, 'parent_id'],
    [{ name: 'x', device_ids: ['d'] }, 'device_ids.0'],
    [{ name: 'x', query: {} }, 'query'],
    [{ name: 'x', query: { colour: 'red' } }, 'query.colour'],
    [{ name: 'x', query: { or: [{ 'attributes.region': ['eu'] }] } }, 'query.or.0.attributes.region'],
    [{ name: 'x', query: { group: 'top' } }, 'query.group'],
  ])('when %j is to be a group, then 400 lists %s', async (body, field) => {
    const answer = await gateway.ask('POST', GROUPS, { body });
    expect(answer.status).toBe(400);
    expect(answer.json<{ errors: { field: string }[] }>().errors.map((error) => error.field)).toContain(field);
  });

  it.each(['parent_id=top', 'name_prefix=', 'limit=0', 'kind=list'])(
    'when the query is %s, then 400 names the parameter',
    async (query) => {
      const answer = await gateway.ask('GET', `${GROUPS}?${query}`);
      expect([answer.status, answer.json()]).toMatchObject([400, { errors: [{ field: query.split('=')[0] }] }]);
    },
  );

  it('when more than ten thousand devices are put in at once, then 400 names the list', async () => {
    const body = { device_ids: Array.from({ length: 10_001 }, () => DEVICE) };
    const answer = await gateway.ask('POST', `${GROUPS}/${ID}/devices`, { body });
    expect([answer.status, answer.json()]).toMatchObject([400, { errors: [{ field: 'device_ids' }] }]);
  });

  it('when an id in the path is none, then it is 404', async () => {
    expect((await gateway.ask('GET', `${GROUPS}/x`)).status).toBe(404);
    expect((await gateway.ask('GET', `${GROUPS}/${DEVICE}`)).status).toBe(404);
  });
});
