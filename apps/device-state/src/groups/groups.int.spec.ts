import { deviceGroups, deviceState, type DeviceGroupPatch, type NewDeviceGroup } from '@muster/contracts';
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { RunningDeviceState } from '../testing/running-device-state.js';

let service: RunningDeviceState;
beforeAll(async () => {
  service = await RunningDeviceState.start();
});
afterAll(() => service?.stop());

const refusal = (kind: string, message: string | RegExp): unknown =>
  expect.objectContaining({ name: 'DomainError', kind, message: expect.stringMatching(message) as unknown });

const create = (project_id: string, group: NewDeviceGroup, id: string = randomUUID()) =>
  service.call(deviceGroups.createGroup, { project_id, id, group });
const patch = (project_id: string, id: string, change: DeviceGroupPatch) =>
  service.call(deviceGroups.patchGroup, { project_id, id, patch: change });
const remove = (project_id: string, id: string) => service.call(deviceGroups.deleteGroup, { project_id, id });

const devicesOf = async (project_id: string, id: string, limit = 1000) => {
  const { devices, next } = await service.call(deviceGroups.listGroupDevices, { project_id, id, limit });
  return { names: devices.map(({ name }) => name), next };
};

const registered = async (project: string, count: number) => {
  const ids = Array.from({ length: count }, () => randomUUID()).sort();
  await service.call(deviceState.registerDevices, {
    project_id: project,
    devices: ids.map((id, n) => ({ id, device: { name: `d${n}`, type: n % 2 ? 'odd' : 'even' } })),
  });
  return ids;
};

describe('groups by list', () => {
  it('given devices, then they are its members, and the group says how many', async () => {
    const [a, b, c] = await registered('list', 3);
    const made = await create('list', { name: 'g', device_ids: [a!, b!.toUpperCase(), a!] });
    expect(made).toMatchObject({ project_id: 'list', name: 'g', parent_id: null, kind: 'list', query: null });
    expect(made.device_count).toBe(2);
    expect(await devicesOf('list', made.id)).toEqual({ names: ['d0', 'd1'], next: null });

    const which = { project_id: 'list', id: made.id };
    const added = await service.call(deviceGroups.addToGroup, { ...which, device_ids: [b!, c!] });
    expect(added).toMatchObject({ changed: 1, group: { device_count: 3 } });
    const taken = await service.call(deviceGroups.removeFromGroup, { ...which, device_ids: [a!, b!, randomUUID()] });
    expect(taken).toMatchObject({ changed: 2, group: { device_count: 1 } });
    expect((await devicesOf('list', made.id)).names).toEqual(['d2']);
  });

  it('given a device that is not there, also of another project, then it is named and nothing is made', async () => {
    const [known] = await registered('unknown', 1);
    const [foreign] = await registered('elsewhere', 1);
    await expect(create('unknown', { name: 'g', device_ids: [known!, foreign!] })).rejects.toEqual(
      refusal('invalid', `device_ids.1: no device ${foreign}`),
    );
    const { groups } = await service.call(deviceGroups.listGroups, { project_id: 'unknown', limit: 10 });
    expect(groups).toEqual([]);
  });

  it('given the same create again, then it answers the group as it is; a name that is taken is a conflict', async () => {
    const first = await create('again', { name: 'g' });
    expect(await create('again', { name: 'g' }, first.id)).toEqual(first);
    await expect(create('again', { name: 'g' })).rejects.toEqual(refusal('conflict', 'name: g is taken'));
    const other = await create('again', { name: 'h' });
    await expect(patch('again', other.id, { name: 'g' })).rejects.toEqual(refusal('conflict', 'name: g is taken'));
  });

  it('given devices put in and taken out at once, then the count is that of the list', async () => {
    const ids = await registered('counted', 40);
    const { id } = await create('counted', { name: 'g', device_ids: ids.slice(0, 20) });
    const which = { project_id: 'counted', id };
    await Promise.all(
      Array.from({ length: 12 }, (_, n) =>
        service.call(n % 2 ? deviceGroups.addToGroup : deviceGroups.removeFromGroup, {
          ...which,
          device_ids: ids.slice(n * 2, n * 2 + 15),
        }),
      ),
    );
    const group = await service.call(deviceGroups.getGroup, which);
    expect(group.device_count).toBe((await devicesOf('counted', id)).names.length);
  });
});

describe('groups by query', () => {
  it('given a query, then its members are what it finds, also of devices that come later', async () => {
    await registered('asked', 2);
    const { id, kind, device_count } = await create('asked', { name: 'odd', query: { type: 'odd' } });
    expect([kind, device_count]).toEqual(['query', null]);
    expect((await devicesOf('asked', id)).names).toEqual(['d1']);
    await service.register('asked', 'later');
    await patch('asked', id, { query: { not: { type: 'odd' } } });
    expect((await devicesOf('asked', id)).names.sort()).toEqual(['d0', 'later']);
  });

  it('given both, or a change of the other kind, then it is refused', async () => {
    const [device] = await registered('kinds', 1);
    await expect(create('kinds', { name: 'g', device_ids: [], query: { type: 'a' } })).rejects.toEqual(
      refusal('invalid', 'query: a group has either device_ids or a query'),
    );
    const asked = await create('kinds', { name: 'asked', query: { type: 'a' } });
    const which = { project_id: 'kinds', id: asked.id };
    await expect(service.call(deviceGroups.addToGroup, { ...which, device_ids: [device!] })).rejects.toEqual(
      refusal('conflict', 'group asked has its devices from a query'),
    );
    const listed = await create('kinds', { name: 'listed' });
    await expect(patch('kinds', listed.id, { query: { type: 'a' } })).rejects.toEqual(
      refusal('invalid', 'query: the group has a list of devices'),
    );
  });
});

describe('nested groups', () => {
  it('given groups below a group, then their members are its members, each once, in pages', async () => {
    const ids = await registered('nested', 6);
    const top = await create('nested', { name: 'top', device_ids: ids.slice(0, 2) });
    const middle = await create('nested', { name: 'middle', parent_id: top.id, device_ids: ids.slice(1, 3) });
    await create('nested', { name: 'low', parent_id: middle.id, device_ids: [ids[4]!] });
    expect((await devicesOf('nested', top.id)).names).toEqual(['d0', 'd1', 'd2', 'd4']);
    expect(await devicesOf('nested', top.id, 2)).toEqual({ names: ['d0', 'd1'], next: ids[1] });

    const children = await service.call(deviceGroups.listGroups, {
      project_id: 'nested',
      parent_id: top.id,
      limit: 10,
    });
    expect(children.groups.map(({ name }) => name)).toEqual(['middle']);
    const roots = await service.call(deviceGroups.listGroups, { project_id: 'nested', parent_id: null, limit: 10 });
    expect(roots.groups.map(({ name }) => name)).toEqual(['top']);

    const moved = await patch('nested', middle.id, { parent_id: null });
    expect(moved.parent_id).toBeNull();
    expect((await devicesOf('nested', top.id)).names).toEqual(['d0', 'd1']);
  });

  it('given moves that would make a circle, one by one or at once, then none is made', async () => {
    const a = await create('circle', { name: 'a' });
    const b = await create('circle', { name: 'b', parent_id: a.id });
    await expect(patch('circle', a.id, { parent_id: b.id })).rejects.toEqual(refusal('invalid', /^parent_id: /));
    const pairs = await Promise.all(
      [1, 2, 3, 4].map(async (n) => [
        await create('circle', { name: `l${n}` }),
        await create('circle', { name: `r${n}` }),
      ]),
    );
    for (const [left, right] of pairs) {
      const moves = await Promise.allSettled([
        patch('circle', left!.id, { parent_id: right!.id }),
        patch('circle', right!.id, { parent_id: left!.id }),
      ]);
      expect(moves.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
    }
  });

  it('given what names it at job-planner, then it is not deleted as long as that does', async () => {
    const { id } = await create('named', { name: 'g', device_ids: await registered('named', 1) });
    const use = randomUUID();
    service.groupUses.set(id, { entity: 'target-list', id: use, name: 'shops' });
    await expect(remove('named', id)).rejects.toEqual(refusal('conflict', `target list shops, ${use} names it`));
    service.groupUses.set(id, { entity: 'job', id: use, name: 'upgrade' });
    await expect(remove('named', id)).rejects.toEqual(
      refusal('conflict', `job upgrade, ${use} has yet to find its devices by it`),
    );
    service.groupUses.delete(id);
    expect(await remove('named', id)).toEqual({});
  });

  it('given what depends on a group, then it is not deleted; after it is, nothing of it is left', async () => {
    const [device] = await registered('deleted', 1);
    const top = await create('deleted', { name: 'top', device_ids: [device!] });
    const low = await create('deleted', { name: 'low', parent_id: top.id });
    const asking = await create('deleted', { name: 'asking', query: { not: { group: top.id } } });
    await expect(remove('deleted', top.id)).rejects.toEqual(refusal('conflict', 'group low is below it'));
    await remove('deleted', low.id);
    await expect(remove('deleted', top.id)).rejects.toEqual(refusal('conflict', 'the query of group asking names it'));
    await remove('deleted', asking.id);
    await remove('deleted', top.id);
    await expect(remove('deleted', top.id)).rejects.toEqual(refusal('not_found', `no group ${top.id}`));
    expect(await service.query(`SELECT FROM group_member WHERE project_id = 'deleted'`)).toEqual([]);
  });

  it('given the group of another project, then it is not there', async () => {
    const { id } = await create('mine', { name: 'g' });
    const other = { project_id: 'yours', id };
    for (const ask of [
      () => service.call(deviceGroups.getGroup, other),
      () => service.call(deviceGroups.listGroupDevices, { ...other, limit: 1 }),
      () => service.call(deviceGroups.patchGroup, { ...other, patch: { name: 'x' } }),
      () => service.call(deviceGroups.addToGroup, { ...other, device_ids: [randomUUID()] }),
      () => service.call(deviceGroups.deleteGroup, other),
    ])
      await expect(ask()).rejects.toEqual(refusal('not_found', `no group ${id}`));
    await expect(
      service.call(deviceState.resolve, { project_id: 'yours', query: { and: [{ group: id }] }, limit: 1 }),
    ).rejects.toEqual(refusal('invalid', `query.and.0.group: no group ${id}`));
    await expect(create('yours', { name: 'below', parent_id: id })).rejects.toEqual(
      refusal('invalid', `parent_id: no group ${id}`),
    );
  });
});
