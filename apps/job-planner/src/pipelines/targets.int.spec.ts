import {
  MAX_TARGET_GROUPS,
  MAX_TARGET_LISTS,
  MAX_TARGETS,
  pipelines,
  type NewTarget,
  type TargetChange,
  type TargetList,
} from '@muster/contracts';
import { v7 as uuid } from 'uuid';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ADA, BOB, NOT_FOUND, refusalOf, RunningPipelines, type ListKey } from '../testing/running-pipelines.js';
import { PROJECT } from '../testing/running-planner.js';

const { target: contracts, targetList: lists, targetListDeviceGroup: groups } = pipelines;

let running: RunningPipelines;

beforeAll(async () => {
  running = await RunningPipelines.start();
});
afterAll(() => running.planner.service.stop());

const add = (key: ListKey, definition: NewTarget, id = uuid()) =>
  running.call(contracts.create, { ...key, id, definition, by: ADA });
const change = (key: ListKey, id: string, what: TargetChange) =>
  running.call(contracts.change, { ...key, id, change: what, by: BOB });
const targets = (key: ListKey, limit = 1000, device_ids?: string[]) =>
  running.call(contracts.list, { ...key, limit, offset: 0, ...(device_ids && { device_ids }) });
const devicesOf = async (key: ListKey) => (await targets(key)).results.map(({ device_id }) => device_id);

/** Fills a list up to `count` with devices that nobody has. */
const fill = ({ pipeline_id, target_list_id }: ListKey, count: number) =>
  running.planner.service.query(
    `INSERT INTO target (project_id, id, pipeline_id, target_list_id, device_id, device_name, device_alias, is_active, created_by, updated_by)
     SELECT $1, gen_random_uuid(), $2, $3, gen_random_uuid(), '', '', true, 1, 1 FROM generate_series(1, $4)`,
    [PROJECT, pipeline_id, target_list_id, count],
  );

describe('a target list', () => {
  it('given a create, its repetition and a change, then it is one list; the type stays', async () => {
    const { id: pipeline_id } = await running.pipeline();
    const id = uuid();
    const made = await running.list(pipeline_id, 'GROUPS', id);
    expect(made).toMatchObject({ id, pipeline_id, name: 'a list', target_list_type: 'GROUPS', created_by: ADA });
    expect(await running.list(pipeline_id, 'GROUPS', id)).toEqual(made);
    const which = { project_id: PROJECT, pipeline_id, id };
    const changeTo = (target_list_type: TargetList['target_list_type'], name: string) =>
      running.call(lists.change, { ...which, change: { name, target_list_type }, by: BOB });
    const changed = await changeTo('GROUPS', 'renamed');
    expect(changed).toEqual({ ...made, name: 'renamed', updated_by: BOB, updated_at: changed.updated_at });
    await expect(changeTo('DEVICES', 'lost')).rejects.toEqual(refusalOf('target_list_type', 'cannot be changed'));
    expect(await running.call(lists.delete, which)).toEqual(changed);
    await expect(running.call(lists.get, which)).rejects.toEqual(NOT_FOUND);
  });

  it('given creates at the same time, then no more are made than a pipeline may have', async () => {
    const { id: pipeline_id } = await running.pipeline();
    const made = await Promise.allSettled(
      Array.from({ length: MAX_TARGET_LISTS + 4 }, () => running.list(pipeline_id)),
    );
    const refused = made.flatMap((one) => (one.status === 'rejected' ? [one.reason as unknown] : []));
    expect(refused).toEqual(Array(4).fill(refusalOf('targetlists', `a pipeline has at most ${MAX_TARGET_LISTS}`)));
    const page = await running.call(lists.list, { project_id: PROJECT, pipeline_id, limit: 10, offset: 30 });
    expect([page.count, page.results.length]).toEqual([MAX_TARGET_LISTS, 2]);
  });
});

describe('a target', () => {
  it('given a device, then its name is the device’s own unless told, and a repeated create makes nothing more', async () => {
    const key = await running.listOfDevices();
    const [device, named] = running.planner.nodes(2);
    const id = uuid();
    const made = await add(key, { device_id: device!.toUpperCase() }, id);
    expect(made).toEqual({
      id,
      pipeline_id: key.pipeline_id,
      device_id: device,
      device_name: `node-${device!.slice(-4)}`,
      device_alias: '',
      is_active: true,
      created_by: ADA,
      updated_by: ADA,
      created_at: expect.any(String) as string,
      updated_at: made.created_at,
    });
    expect(await add(key, { device_id: device! }, id)).toEqual(made);
    const other = { device_id: named!, device_name: 'Kiosk', device_alias: 'by the door', is_active: false };
    expect(await add(key, other)).toMatchObject(other);
    expect((await targets(key)).count).toBe(2);
  });

  it('given a device that is not there, or is in the list already, also at once, then device_id is refused', async () => {
    const key = await running.listOfDevices();
    const [device] = running.planner.nodes(1);
    const nobody = uuid();
    await expect(add(key, { device_id: nobody })).rejects.toEqual(refusalOf('device_id', `no device ${nobody}`));
    const asked = await Promise.allSettled([1, 2, 3].map(() => add(key, { device_id: device! })));
    const refused = asked.flatMap((one) => (one.status === 'rejected' ? [one.reason as unknown] : []));
    expect(refused).toEqual(Array(2).fill(refusalOf('device_id', `${device} is in the list already`)));
    expect(await devicesOf(key)).toEqual([device]);
    // Another list may have it, too.
    await add(await running.listOfDevices(), { device_id: device! });
  });

  it('given a change and a delete, then they do what they say and no more', async () => {
    const key = await running.listOfDevices();
    const [device] = running.planner.nodes(1);
    const made = await add(key, { device_id: device!, device_alias: 'kept' });
    const same = { device_id: device!.toUpperCase(), device_alias: 'kept' };
    const changed = await change(key, made.id, { ...same, device_name: 'renamed', is_active: false });
    const { updated_at } = changed;
    expect(changed).toEqual({ ...made, device_name: 'renamed', is_active: false, updated_by: BOB, updated_at });
    for (const other of [{ device_id: uuid() }, { device_alias: 'another' }]) {
      const refusal = refusalOf(Object.keys(other)[0]!, 'cannot be changed');
      await expect(change(key, made.id, { ...other, device_name: 'lost' })).rejects.toEqual(refusal);
    }
    expect(await running.call(contracts.delete, { ...key, id: made.id })).toEqual(changed);
    await expect(change(key, made.id, {})).rejects.toEqual(NOT_FOUND);
    expect(await add(key, { device_id: device! })).toMatchObject({ device_id: device });
  });

  it('given a full list, then one more is refused, and one that is there already is no more', async () => {
    const key = await running.listOfDevices();
    const [device, last, beyond] = running.planner.nodes(3);
    await add(key, { device_id: device! });
    await fill(key, MAX_TARGETS - 2);
    const full = refusalOf('targets', `a target list has at most ${MAX_TARGETS}`);
    await expect(running.addAll(key, [last!, beyond!])).rejects.toEqual(full);
    expect((await targets(key, 1)).count).toBe(MAX_TARGETS - 1);
    expect(await running.addAll(key, [last!, device!])).toEqual({ added: 1 });
    await expect(add(key, { device_id: beyond! })).rejects.toEqual(full);
    expect((await targets(key, 1, [last!, beyond!])).results).toMatchObject([{ device_id: last }]);
  });
});

describe('many targets at once', () => {
  it('given devices of which some are in the list, or come twice, then each is in it once and the others stay', async () => {
    const key = await running.listOfDevices();
    const devices = running.planner.nodes(1_200);
    const first = await add(key, { device_id: devices[0]!, device_name: 'kept', is_active: false });
    const given = [...devices, devices[5]!.toUpperCase()];
    const added = await Promise.all([running.addAll(key, given), running.addAll(key, given)]);
    expect(added.reduce((sum, one) => sum + one.added, 0)).toBe(1_199);
    const { count, results } = await targets(key, 1_000, devices.slice(0, 1_000));
    expect([count, results.length]).toEqual([1_000, 1_000]);
    expect((await targets(key)).count).toBe(1_200);
    expect(results.find(({ id }) => id === first.id)).toEqual(first);
  });

  it('given devices that are not there, then the first twenty are named by their places and nothing is added', async () => {
    const key = await running.listOfDevices();
    const devices = running.planner.nodes(3);
    const nobody = Array.from({ length: 25 }, () => uuid());
    await expect(running.addAll(key, [...devices, ...nobody])).rejects.toMatchObject({
      kind: 'invalid',
      message: `device_ids.3: no device ${nobody[0]}`,
      details: {
        errors: nobody.slice(0, 20).map((id, at) => ({ field: `device_ids.${at + 3}`, message: `no device ${id}` })),
      },
    });
    expect((await targets(key)).count).toBe(0);
  });

  it('given a list that is deleted meanwhile, then its targets are not there, and nothing is left in the end', async () => {
    const key = await running.listOfDevices();
    const [device, ...devices] = running.planner.nodes(600);
    const target = await add(key, { device_id: device! });
    const which = { project_id: PROJECT, pipeline_id: key.pipeline_id, id: key.target_list_id };
    const [deleted] = await Promise.allSettled([running.call(lists.delete, which), running.addAll(key, devices)]);
    expect(deleted.status).toBe('fulfilled');
    await expect(running.call(contracts.get, { ...key, id: target.id })).rejects.toEqual(NOT_FOUND);
    await expect(add(key, { device_id: device! }, target.id)).rejects.toEqual(NOT_FOUND);
    await expect(targets(key)).rejects.toEqual(NOT_FOUND);
  });
});

describe('the groups of a target list', () => {
  async function listOfGroups(): Promise<ListKey> {
    const { id: pipeline_id } = await running.pipeline();
    return { project_id: PROJECT, pipeline_id, target_list_id: (await running.list(pipeline_id, 'GROUPS')).id };
  }
  const group = () => {
    const id = uuid();
    running.groups.add(id);
    return id;
  };
  const put = (key: ListKey, device_group_id: string, id = uuid()) =>
    running.call(groups.create, { ...key, id, definition: { device_group_id }, by: ADA });

  it('given a group, then it is found by its own id and by that of its place, and goes by either', async () => {
    const key = await listOfGroups();
    const [one, other] = [group(), group()];
    const id = uuid();
    const made = await put(key, one, id);
    expect(made).toEqual({
      id,
      device_group_id: one,
      target_list_id: key.target_list_id,
      created_by: ADA,
      updated_by: ADA,
      created_at: expect.any(String) as string,
      updated_at: made.created_at,
    });
    expect(await put(key, one, id)).toEqual(made);
    const second = await put(key, other);
    for (const by of [id, one]) expect(await running.call(groups.get, { ...key, id: by })).toEqual(made);
    const page = await running.call(groups.list, { ...key, limit: 20, offset: 0 });
    expect(page).toEqual({ count: 2, results: [made, second] });
    expect(await running.call(groups.delete, { ...key, id: one })).toEqual(made);
    expect(await running.call(groups.delete, { ...key, id: second.id })).toEqual(second);
    await expect(running.call(groups.delete, { ...key, id: one })).rejects.toEqual(NOT_FOUND);
  });

  it('given one that is not there, is in the list already, or is one too many, then it is refused', async () => {
    const key = await listOfGroups();
    const [known, nobody] = [group(), uuid()];
    await expect(put(key, nobody)).rejects.toEqual(refusalOf('device_group_id', `no group ${nobody}`));
    await put(key, known);
    await expect(put(key, known)).rejects.toEqual(refusalOf('device_group_id', `${known} is in the list already`));
    for (let more = 1; more < MAX_TARGET_GROUPS; more++) await put(key, group());
    await expect(put(key, group())).rejects.toEqual(
      refusalOf('devicegroups', `a target list has at most ${MAX_TARGET_GROUPS}`),
    );
  });

  it('given a list of the other type, then it takes none', async () => {
    const [ofGroups, ofDevices] = [await listOfGroups(), await running.listOfDevices()];
    const [device] = running.planner.nodes(1);
    const message = 'the target list is one of GROUPS';
    await expect(add(ofGroups, { device_id: device! })).rejects.toEqual(refusalOf('device_id', message));
    await expect(running.addAll(ofGroups, [device!])).rejects.toEqual(refusalOf('device_ids', message));
    await expect(put(ofDevices, group())).rejects.toEqual(
      refusalOf('device_group_id', 'the target list is one of DEVICES'),
    );
  });
});
