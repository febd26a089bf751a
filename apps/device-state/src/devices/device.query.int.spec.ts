import {
  deviceGroups,
  deviceState,
  type AttributeValue,
  type Device,
  type DeviceQuery,
  type JsonObject,
} from '@muster/contracts';
import fc from 'fast-check';
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { RunningDeviceState } from '../testing/running-device-state.js';

const PROJECT = 'query';
const DEVICES = 120;

let service: RunningDeviceState;
let devices: Device[];

/** Groups as the test made them; each below one before it, or at the top, and queries name groups before them. */
interface KnownGroup {
  id: string;
  parent_id: string | null;
  device_ids?: string[];
  query?: DeviceQuery;
}
const groups: KnownGroup[] = [];

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

const condition = (ids: string[], groupIds: string[]): fc.Arbitrary<DeviceQuery> =>
  fc.oneof(
    fc.record({ ids: fc.subarray(ids) }),
    fc.record({ name_prefix: name.filter((prefix) => prefix !== '') }),
    ...(groupIds.length > 0 ? [fc.record({ group: fc.constantFrom(...groupIds) })] : []),
    fc.record({ tags: fc.oneof(tag, fc.array(tag, { minLength: 1, maxLength: 2 })) }),
    fc.record({ type }),
    fc.record({
      attributes: fc.dictionary(
        fc.array(key, { minLength: 1, maxLength: 3 }).map((keys) => keys.join('.')),
        scalar,
        { minKeys: 1, maxKeys: 2 },
      ),
    }),
    fc.record({ 'attributes.a': scalar }),
    fc.record({ 'attributes.b.a': scalar }),
    fc.record({ state }),
    fc.record({ online: fc.boolean() }),
    fc.record({ drifted: fc.boolean() }),
  );

const queryOver = (ids: string[], groupIds: string[]) =>
  fc.letrec<{ query: DeviceQuery; leaf: DeviceQuery }>((tie) => ({
    leaf: fc
      .tuple(condition(ids, groupIds), fc.option(condition(ids, groupIds), { nil: {} }))
      .map(([one, other]) => ({ ...one, ...other })),
    query: fc.oneof(
      { maxDepth: 2, withCrossShrink: true },
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

const attributesOf = (query: DeviceQuery): [string, AttributeValue][] => [
  ...Object.entries(query.attributes ?? {}),
  ...(['a', 'b.a'] as const).flatMap((path): [string, AttributeValue][] => {
    const wanted = query[`attributes.${path}`];
    return wanted === undefined ? [] : [[path, wanted]];
  }),
];

/** The members of a group: its own, and those of the groups below it. */
function isMember(device: Device, id: string): boolean {
  const group = groups.find((one) => one.id === id)!;
  return (
    (group.device_ids?.includes(device.id) ?? false) ||
    (group.query !== undefined && matches(device, group.query)) ||
    groups.some((below) => below.parent_id === id && isMember(device, below.id))
  );
}

/** The meaning of a query, said once more without SQL. */
function matches(device: Device, query: DeviceQuery): boolean {
  return (
    (query.ids?.includes(device.id) ?? true) &&
    device.name.startsWith(query.name_prefix ?? '') &&
    (query.group === undefined || isMember(device, query.group)) &&
    [query.tags ?? []].flat().every((wanted) => device.tags.includes(wanted)) &&
    (query.type === undefined || device.type === query.type) &&
    attributesOf(query).every(([path, wanted]) => (at(device.attributes, path.split('.')) ?? null) === wanted) &&
    (query.state === undefined || device.state === query.state) &&
    (query.drifted === undefined || device.drifted === query.drifted) &&
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
    `UPDATE device SET state = s.state, drifted = s.n % 3 = 0 FROM unnest($1::text[]) WITH ORDINALITY AS s(state, n)
     WHERE (regexp_match(name, '[0-9]+$'))[1]::int = s.n - 1`,
    [random.map((device) => device.state)],
  );
  ({ devices } = await service.call(deviceState.listDevices, { project_id: PROJECT, limit: 1000 }));

  // A group may be a member of one that names it, so what a query names comes from one half of them, and what is below from the other.
  const [named, naming]: [KnownGroup[], KnownGroup[]] = [[], []];
  const ids = devices.map((device) => device.id);
  for (let count = 0; count < 8; count++) {
    const among = count < 4 ? named : naming;
    const [parent] = fc.sample(fc.option(fc.constantFrom(null, ...among.map((group) => group.id))), 1);
    const query = condition(
      ids,
      named.filter(() => count >= 4).map((group) => group.id),
    );
    const [members] = fc.sample(fc.oneof(fc.record({ device_ids: fc.subarray(ids) }), fc.record({ query })), 1);
    const group = { id: randomUUID(), parent_id: parent ?? null, ...members };
    await service.call(deviceGroups.createGroup, {
      project_id: PROJECT,
      id: group.id,
      group: { name: `group ${count}`, parent_id: group.parent_id, ...members },
    });
    among.push(group);
    groups.push(group);
  }
});
afterAll(() => service?.stop());

describe('a device query', () => {
  it('given random devices and nested groups, and any query, then Postgres finds what the query means', async () => {
    expect(devices).toHaveLength(DEVICES);
    const [ids, groupIds] = [devices.map(({ id }) => id), groups.map(({ id }) => id)];
    let selective = 0;
    await fc.assert(
      fc.asyncProperty(queryOver(ids, groupIds), async (query) => {
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

  it('given a group, then its pages go on after each other, and together they are its members', async () => {
    let members = 0;
    for (const group of groups) {
      const read: string[] = [];
      let after: string | undefined;
      do {
        const page = await service.call(deviceGroups.listGroupDevices, {
          project_id: PROJECT,
          id: group.id,
          limit: 7,
          ...(after && { after }),
        });
        read.push(...page.devices.map((device) => device.id));
        after = page.next ?? undefined;
      } while (after);
      expect(read).toEqual(devices.filter((device) => isMember(device, group.id)).map((device) => device.id));
      members += read.length;
    }
    expect(members).toBeGreaterThan(0);
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
