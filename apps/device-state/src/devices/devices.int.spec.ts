import {
  deviceState,
  DomainError,
  MAX_REPORTED_VALUE,
  type DeviceQuery,
  type JsonObject,
  type NewDevice,
} from '@muster/contracts';
import { Journal1700000000000 } from '@muster/journal';
import { createDataSource } from '@muster/persistence';
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { entities, migrations } from '../schema.js';
import { RunningDeviceState } from '../testing/running-device-state.js';

let service: RunningDeviceState;
beforeAll(async () => {
  service = await RunningDeviceState.start();
});
afterAll(() => service?.stop());

const register = (project_id: string, devices: (NewDevice & { id?: string })[]) =>
  service.call(deviceState.registerDevices, {
    project_id,
    devices: devices.map(({ id = randomUUID(), ...device }) => ({ id, device })),
  });

const patch = (project_id: string, id: string, change: JsonObject) =>
  service.call(deviceState.patchDevice, { project_id, id, patch: change });

const refusal = (kind: string, message: string): unknown =>
  expect.objectContaining({ name: 'DomainError', kind, message });

describe('the schema', () => {
  it('given the migrations, then the entities ask for no other', async () => {
    const dataSource = await createDataSource({
      url: service.databaseUrl,
      schema: 'device_state',
      entities,
      migrations: [Journal1700000000000, ...migrations],
    }).initialize();
    const { upQueries } = await dataSource.driver.createSchemaBuilder().log();
    await dataSource.destroy();
    expect(upQueries.map(({ query }) => query)).toEqual([]);
  });
});

describe('registering devices', () => {
  it('given new names, then each is there as it was described, and an event tells of each', async () => {
    const id = randomUUID();
    const device = {
      name: 'par-1',
      alias: 'Paris "one"',
      type: 'node',
      timezone: 'Europe/Paris',
      tags: ['edge', 'a,b', '{}', 'é'],
      attributes: { site: { city: 'Paris', lat: 48.85 }, none: null },
      desired: { version: 2 },
    };
    const { results } = await register('reg', [{ id, ...device }, { name: 'plain' }]);

    expect(results.map(({ name, status }) => [name, status])).toEqual([
      ['par-1', 'created'],
      ['plain', 'created'],
    ]);
    const found = await service.device('reg', id);
    expect(found).toMatchObject({ id, project_id: 'reg', ...device });
    expect(found).toMatchObject({
      state: 'REGISTERED',
      online: false,
      last_seen: null,
      reported: {},
      agent: null,
      version: 1,
    });
    expect(await service.device('reg', results[1]!.id)).toMatchObject({
      alias: '',
      type: 'device',
      timezone: 'UTC',
      tags: [],
      attributes: {},
      desired: {},
    });
    await vi.waitFor(() =>
      expect(service.service.events.filter(({ data }) => data.id === id)).toMatchObject([
        {
          subject: `muster.evt.reg.device.REGISTERED.${id}`,
          data: { project_id: 'reg', id, from: null, to: 'REGISTERED', version: 1, reason: '', name: 'par-1' },
        },
      ]),
    );
  });

  it('given names that are taken, before or in the request, then those exist with their id and stay as they were', async () => {
    const first = await register('taken', [{ name: 'a', alias: 'first' }]);
    const a = first.results[0]!.id;
    const { results } = await register('taken', [
      { name: 'a', alias: 'second' },
      { name: 'b' },
      { name: 'b', alias: 'again' },
    ]);

    const b = results[1]!.id;
    expect(results).toEqual([
      { id: a, name: 'a', status: 'exists' },
      { id: b, name: 'b', status: 'created' },
      { id: b, name: 'b', status: 'exists' },
    ]);
    expect((await service.device('taken', a)).alias).toBe('first');
    expect((await service.device('taken', b)).alias).toBe('');
  });

  it('given the same request again, then nothing is made twice', async () => {
    const id = randomUUID();
    await register('again', [{ id, name: 'a' }]);
    expect((await register('again', [{ id, name: 'a' }])).results).toEqual([{ id, name: 'a', status: 'exists' }]);
  });

  it('given an id of a device with another name, then it is a conflict and nothing is made', async () => {
    const { results } = await register('ids', [{ name: 'a' }]);
    const id = results[0]!.id;
    await expect(register('ids', [{ name: 'b' }, { id, name: 'c' }])).rejects.toEqual(
      refusal('conflict', `devices.1.id: ${id} is another device's`),
    );
    const { devices } = await service.call(deviceState.listDevices, { project_id: 'ids', limit: 10 });
    expect(devices.map(({ name }) => name)).toEqual(['a']);
  });

  it('given the same names at once in different orders, then each is made once', async () => {
    const names = Array.from({ length: 300 }, (_, index) => `n${index}`);
    const orders = [names, names.toReversed(), names.toSorted(), [...names.slice(150), ...names.slice(0, 150)]];
    const answers = await Promise.all(
      orders.map((order) =>
        register(
          'race',
          order.map((name) => ({ name })),
        ),
      ),
    );

    const created = answers.flatMap(({ results }) => results).filter(({ status }) => status === 'created');
    expect(created.map(({ name }) => name).toSorted()).toEqual(names.toSorted());
  });

  it('given unknown time zones, then all of them are named and nothing is made', async () => {
    const request = register('zones', [
      { name: 'a' },
      { name: 'b', timezone: 'Mars/Olympus' },
      { name: 'c', timezone: '+02:00' },
    ]);
    const error = await request.catch((caught: unknown) => caught);
    expect(error).toBeInstanceOf(DomainError);
    expect(error).toMatchObject({ kind: 'invalid', message: 'devices.1.device.timezone: is not an IANA time zone' });
    expect((error as DomainError).details.errors?.map(({ field }) => field)).toEqual([
      'devices.1.device.timezone',
      'devices.2.device.timezone',
    ]);
    expect((await service.call(deviceState.listDevices, { project_id: 'zones', limit: 10 })).devices).toEqual([]);
  });
});

describe('one device', () => {
  it('given an id of another project or of nothing, then it is not found, and cannot be changed', async () => {
    const id = await service.register('mine', 'a');
    for (const [project, unknown] of [
      ['other', id],
      ['mine', randomUUID()],
    ] as const) {
      await expect(service.device(project, unknown)).rejects.toEqual(refusal('not_found', `no device ${unknown}`));
      await expect(patch(project, unknown, { alias: 'x' })).rejects.toEqual(
        refusal('not_found', `no device ${unknown}`),
      );
    }
    expect(await service.device('mine', id)).toMatchObject({ alias: '' });
  });

  it('given a patch, then attributes and desired merge, other fields are replaced, and what it does not name stays', async () => {
    const { results } = await register('patch', [
      { name: 'a', alias: 'x', tags: ['one', 'two'], attributes: { a: 1, b: { c: 2, d: 3 } }, desired: { v: 1 } },
    ]);
    const id = results[0]!.id;
    const before = await service.device('patch', id);
    const changed = await patch('patch', id, {
      tags: ['three'],
      timezone: 'Asia/Tokyo',
      attributes: { a: null, b: { d: 4 }, e: [1] },
      desired: { w: true },
    });

    expect(changed).toEqual({
      ...before,
      tags: ['three'],
      timezone: 'Asia/Tokyo',
      attributes: { b: { c: 2, d: 4 }, e: [1] },
      desired: { v: 1, w: true },
      difference: { v: 1, w: true },
      updated_at: changed.updated_at,
    });
    expect(changed.updated_at > before.updated_at).toBe(true);
    expect(await service.device('patch', id)).toEqual(changed);
    expect(await patch('patch', id, { alias: '', tags: [] })).toMatchObject({ alias: '', tags: [], version: 1 });
  });

  it('given two patches at once, then neither is lost', async () => {
    const id = await service.register('patches', 'a');
    await Promise.all(Array.from({ length: 20 }, (_, n) => patch('patches', id, { desired: { [`k${n}`]: n } })));
    expect(Object.keys((await service.device('patches', id)).desired)).toHaveLength(20);
  });

  it('given a patch that breaks a rule, alone or by what it merges with, then it is refused and nothing changes', async () => {
    const id = await service.register('rules', 'a');
    await expect(patch('rules', id, { timezone: 'Nowhere' })).rejects.toEqual(
      refusal('invalid', 'timezone: is not an IANA time zone'),
    );
    const half = 'x'.repeat(150 * 1024);
    await patch('rules', id, { attributes: { a: half } });
    await expect(patch('rules', id, { attributes: { b: half } })).rejects.toEqual(
      refusal('invalid', 'attributes: is larger than 262144 bytes'),
    );
    expect(Object.keys((await service.device('rules', id)).attributes)).toEqual(['a']);
  });
});

describe('many devices', () => {
  it('given pages, then every device of the project comes once in the order of ids, or of names below a prefix, and no other project’s', async () => {
    const names = Array.from({ length: 25 }, (_, index) => `d${index}`);
    const { results } = await register(
      'pages',
      names.map((name) => ({ name, timezone: 'Europe/Rome' })),
    );
    await register(
      'pages-other',
      names.map((name) => ({ name })),
    );
    const ids = results.map(({ id }) => id).toSorted();
    const byName = results.toSorted((a, b) => (a.name < b.name ? -1 : 1)).map(({ id }) => id);

    const walk = async (method: 'listDevices' | 'resolve', limit: number, query: DeviceQuery) => {
      const seen: string[] = [];
      const sizes: number[] = [];
      let after: string | undefined;
      do {
        const request = { project_id: 'pages', query, limit, ...(after && { after }) };
        const page = await service.call(deviceState[method], request);
        seen.push(...page.devices.map(({ id }) => id));
        sizes.push(page.devices.length);
        after = page.next ?? undefined;
      } while (after);
      return { seen, sizes };
    };

    const all = { type: 'device' };
    const prefix = { name_prefix: 'd' };
    expect(await walk('resolve', 10, all)).toEqual({ seen: ids, sizes: [10, 10, 5] });
    expect(await walk('listDevices', 5, all)).toEqual({ seen: ids, sizes: [5, 5, 5, 5, 5] });
    expect(await walk('resolve', 10, prefix)).toEqual({ seen: byName, sizes: [10, 10, 5] });
    expect(await walk('listDevices', 5, prefix)).toEqual({ seen: byName, sizes: [5, 5, 5, 5, 5] });
    const { devices } = await service.call(deviceState.resolve, {
      project_id: 'pages',
      query: { ids: [ids[0]!] },
      limit: 1,
    });
    expect(devices).toEqual([{ id: ids[0], name: expect.stringMatching(/^d\d+$/) as string, timezone: 'Europe/Rome' }]);
  });

  it('given documents too large for one answer, then the page is shorter and still says that there is more', async () => {
    const attributes = { blob: 'x'.repeat(250 * 1024) };
    for (let n = 0; n < 12; n++) {
      await register(
        'large',
        [1, 2, 3].map((m) => ({ name: `big-${n}-${m}`, attributes })),
      );
    }
    const first = await service.call(deviceState.listDevices, { project_id: 'large', limit: 1000 });
    expect(first.devices.length).toBeLessThan(36);
    expect(first.next).toBe(first.devices.at(-1)!.id);
    const rest = await service.call(deviceState.listDevices, { project_id: 'large', limit: 1000, after: first.next! });
    expect(first.devices.length + rest.devices.length).toBe(36);
    expect(rest.next).toBeNull();
  });

  it('given ids, then presence tells of those that exist in the project', async () => {
    const id = await service.register('asked', 'a');
    const foreign = await service.register('asked-other', 'a');
    expect(await service.call(deviceState.presence, { project_id: 'asked', ids: [id, foreign, randomUUID()] })).toEqual(
      { devices: [{ id, online: false, version: 1 }] },
    );
  });

  it('given ids and a dotted path, then each device of the project is there with what it reports at it, unless that is nothing or too large', async () => {
    const largest = 'x'.repeat(MAX_REPORTED_VALUE - 2);
    const reports: [reported: JsonObject, value?: unknown][] = [
      [{ os: { disks: ['a', { build: '7' }] } }, { build: '7' }],
      [{ os: { disks: [0, null] } }, null],
      [{ os: { disks: [0, false] } }, false],
      [{ os: { disks: { 1: 'of an object' } } }, 'of an object'],
      [{ os: { disks: [0, largest] } }, largest],
      [{ os: { disks: [0, `${largest}x`] } }],
      [{ os: { disks: [0, `${largest.slice(1)}é`] } }],
      [{ os: { disks: [0] } }],
      [{ os: 'disks.1' }],
      [{ 'os.disks.1': 'a key' }],
    ];
    const ids: string[] = [];
    for (const [n, [reported]] of reports.entries()) {
      const id = await service.register('reports', `n-${n}`);
      ids.push(id);
      service.say('reports', id, 'report', { reported });
      await vi.waitFor(async () => expect((await service.device('reports', id)).reported).toEqual(reported));
    }
    const silent = await service.register('reports', 'silent');
    const foreign = await service.register('reports-other', 'a');
    service.say('reports-other', foreign, 'report', { reported: { os: { disks: [0, 1] } } });
    await vi.waitFor(async () => expect((await service.device('reports-other', foreign)).online).toBe(true));
    const request = { project_id: 'reports', ids: [...ids, silent, foreign, randomUUID()], path: 'os.disks.1' };
    const { devices } = await service.call(deviceState.reportedAt, request);
    const expected = reports.map(([, ...value], n) => ({ id: ids[n]!, ...(value.length > 0 && { value: value[0] }) }));
    expect(devices).toEqual([...expected, { id: silent }].toSorted((a, b) => (a.id < b.id ? -1 : 1)));
    expect(devices.filter((device) => 'value' in device)).toHaveLength(5);
  });

  it('given a query that nests too deep, then it is refused', async () => {
    const query = Array.from({ length: 16 }).reduce<object>((not) => ({ not }), { online: true });
    await expect(service.call(deviceState.resolve, { project_id: 'pages', query, limit: 1 })).rejects.toEqual(
      refusal('invalid', 'query: nests deeper than 16 levels'),
    );
  });
});
