import { deviceState, type Device, type DeviceQuery, type JsonObject } from '@muster/contracts';
import fc from 'fast-check';
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { RunningDeviceState } from '../testing/running-device-state.js';

const PROJECT = 'query';
const DEVICES = 120;

let service: RunningDeviceState;
let devices: Device[];

const key = fc.constantFrom('a', 'b', '0', '__proto__', 'c"', `d'`, 'e\\f', '');
const scalar = fc.constantFrom<(string | number | boolean | null)[]>(
  null,
  true,
  false,
  0,
  1,
  1.5,
  1e21,
  '1',
  '',
  'x',
  `'"\\`,
  'é',
  '\n',
);
const { attributes } = fc.letrec<{ value: unknown; attributes: JsonObject }>((tie) => ({
  value: fc.oneof({ weight: 3, arbitrary: scalar }, fc.array(scalar, { maxLength: 2 }), tie('attributes')),
  attributes: fc.array(fc.tuple(key, tie('value')), { maxLength: 4 }).map((entries) => Object.fromEntries(entries)),
}));
const tag = fc.constantFrom('t1', 't2', `t'3`, 't,4');
const name = fc.constantFrom('ab', 'abc', 'b%', 'b_', 'B', 'é', '');
const type = fc.constantFrom('node', 'sensor', '$1');
const state = fc.constantFrom<Device['state'][]>('REGISTERED', 'ONLINE', 'OFFLINE');

const queryOver = (ids: string[]) =>
  fc.letrec<{ query: DeviceQuery; leaf: DeviceQuery }>((tie) => ({
    leaf: fc.record(
      {
        ids: fc.subarray(ids),
        name_prefix: name.filter((prefix) => prefix !== ''),
        tags: fc.array(tag, { minLength: 1, maxLength: 2 }),
        type,
        attributes: fc.dictionary(
          fc.array(key, { minLength: 1, maxLength: 3 }).map((keys) => keys.join('.')),
          scalar,
          { maxKeys: 2 },
        ),
        state,
        online: fc.boolean(),
      },
      { requiredKeys: [] },
    ),
    query: fc.oneof(
      { depthSize: 'small', withCrossShrink: true },
      tie('leaf'),
      fc.record({ and: fc.array(tie('query'), { minLength: 1, maxLength: 2 }) }),
      fc.record({ or: fc.array(tie('query'), { minLength: 1, maxLength: 3 }) }),
      fc.record({ not: tie('query') }),
      fc.tuple(tie('leaf'), tie('query')).map(([leaf, not]) => ({ ...leaf, not })),
    ),
  })).query;

/** What the condition of an attribute sees at a path: objects are entered, arrays are not. */
function at(value: unknown, keys: string[]): unknown {
  const [first, ...rest] = keys;
  if (first === undefined) return value;
  if (typeof value !== 'object' || value === null || Array.isArray(value) || !Object.hasOwn(value, first))
    return undefined;
  return at(new Map(Object.entries(value)).get(first), rest);
}

/** The meaning of a query, said once more without SQL. */
function matches(device: Device, query: DeviceQuery): boolean {
  return (
    (query.ids?.includes(device.id) ?? true) &&
    device.name.startsWith(query.name_prefix ?? '') &&
    (query.tags ?? []).every((wanted) => device.tags.includes(wanted)) &&
    (query.type === undefined || device.type === query.type) &&
    Object.entries(query.attributes ?? {}).every(
      ([path, wanted]) => (at(device.attributes, path.split('.')) ?? null) === wanted,
    ) &&
    (query.state === undefined || device.state === query.state) &&
    (query.online === undefined || device.online === query.online) &&
    (query.and ?? []).every((inner) => matches(device, inner)) &&
    (query.or?.some((inner) => matches(device, inner)) ?? true) &&
    (query.not === undefined || !matches(device, query.not))
  );
}

beforeAll(async () => {
  service = await RunningDeviceState.start();
  const random = fc.sample(
    fc.record({ name, type, attributes, tags: fc.uniqueArray(tag, { maxLength: 3 }), state }),
    DEVICES,
  );
  await service.call(deviceState.registerDevices, {
    project_id: PROJECT,
    devices: random.map(({ state: _, ...device }, index) => ({
      id: randomUUID(),
      device: { ...device, name: `${device.name}${index}` },
    })),
  });
  // Presence of its own accord would change under the test.
  await service.query(
    `UPDATE device SET state = s.state FROM unnest($1::text[]) WITH ORDINALITY AS s(state, n)
     WHERE (regexp_match(name, '[0-9]+$'))[1]::int = s.n - 1`,
    [random.map((device) => device.state)],
  );
  ({ devices } = await service.call(deviceState.listDevices, { project_id: PROJECT, limit: 1000 }));
});
afterAll(() => service?.stop());

describe('a device query', () => {
  it('given random devices and any query, then Postgres finds what the query means', async () => {
    expect(devices).toHaveLength(DEVICES);
    let selective = 0;
    await fc.assert(
      fc.asyncProperty(queryOver(devices.map(({ id }) => id)), async (query) => {
        const found = await service.call(deviceState.resolve, { project_id: PROJECT, query, limit: 1000 });
        const meant = devices.filter((device) => matches(device, query));
        if (meant.length > 0 && meant.length < DEVICES) selective++;
        // These names sort the same by UTF-16 and by code point.
        if (query.name_prefix) meant.sort((a, b) => (a.name < b.name ? -1 : 1));
        expect(found.devices.map(({ id }) => id)).toEqual(meant.map(({ id }) => id));
      }),
      { numRuns: 600 },
    );
    expect(selective).toBeGreaterThan(50);
  });

  it('given a prefix, then its pages follow the names, each goes on after the last, and together they are what begins with it', async () => {
    const meant = devices.filter((device) => device.name.startsWith('a')).map((device) => device.name);
    expect(meant.length).toBeGreaterThan(5);
    const read: string[] = [];
    let after: string | undefined;
    do {
      const page = await service.call(deviceState.resolve, {
        project_id: PROJECT,
        query: { name_prefix: 'a' },
        limit: 3,
        ...(after && { after }),
      });
      read.push(...page.devices.map((device) => device.name));
      after = page.next ?? undefined;
    } while (after);
    expect(read).toEqual(meant.toSorted());
  });
});
