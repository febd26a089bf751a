import {
  deployments,
  deviceGroups,
  deviceState,
  deviceWork,
  type JsonObject,
  type RpcRequest,
} from '@muster/contracts';
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { RunningDeviceState } from '../testing/running-device-state.js';

let service: RunningDeviceState;
beforeAll(async () => {
  service = await RunningDeviceState.start();
});
afterAll(() => service?.stop());

type Request = RpcRequest<typeof deployments.resolveDeployments>;

const resolve = (project_id: string, request: Partial<Request>) =>
  service.call(deployments.resolveDeployments, { project_id, limit: 1000, ...request });
const idsOf = async (project_id: string, request: Partial<Request>) =>
  (await resolve(project_id, request)).deployments.map(({ id }) => id);

/** Registers devices of types `odd` and `even`, in time zones of their own. */
async function registered(project_id: string, count: number): Promise<string[]> {
  const ids = Array.from({ length: count }, () => randomUUID());
  await service.call(deviceState.registerDevices, {
    project_id,
    devices: ids.map((id, n) => ({
      id,
      device: { name: `d${n}`, type: n % 2 ? 'odd' : 'even', timezone: n % 2 ? 'Europe/Rome' : 'Asia/Tokyo' },
    })),
  });
  return ids;
}

/** Puts a deployment on each of the devices, and resolves with their ids once they are known. */
async function deployed(project_id: string, devices: readonly string[], args: JsonObject = {}): Promise<string[]> {
  const items = devices.map((device_id) => {
    return { deployment_id: randomUUID(), device_id, command_id: randomUUID(), args: {}, evidence: null };
  });
  await service.service.ask(deviceWork.deployed, { project_id, head: { command: 'deployment_deploy', args }, items });
  const ids = items.map((item) => item.deployment_id);
  await vi.waitUntil(async () => (await idsOf(project_id, { ids })).length === ids.length, { timeout: 10_000 });
  return ids;
}

async function removed(project_id: string, deployment_id: string, device_id: string): Promise<void> {
  await service.service.ask(deviceWork.deployed, {
    project_id,
    head: { command: 'deployment_remove', args: {} },
    items: [{ deployment_id, device_id, command_id: randomUUID(), args: {}, evidence: null }],
  });
  const state = async () => (await service.call(deployments.getDeployment, { project_id, id: deployment_id })).state;
  await vi.waitUntil(async () => (await state()) === 'REMOVED', { timeout: 10_000 });
}

describe('the deployments to work on', () => {
  it('given ids, then those that there are come once each with their devices, and what they were made of where that is asked for', async () => {
    const project = 'by-ids';
    const devices = await registered(project, 3);
    const document = { image: 'nginx' };
    const ids = await deployed(project, devices, { name: 'web', version: 1, deployment: document });
    await removed(project, ids[2]!, devices[2]!);
    const asked = { ids: [...ids, ids[0]!.toUpperCase(), randomUUID()] };
    const expected = [0, 1]
      .map((n) => ({
        id: ids[n]!,
        name: 'web',
        version: '1',
        device_id: devices[n]!,
        device_name: `d${n}`,
        timezone: n ? 'Europe/Rome' : 'Asia/Tokyo',
      }))
      .toSorted((a, b) => (a.id < b.id ? -1 : 1));
    expect(await resolve(project, asked)).toEqual({ deployments: expected, next: null });
    expect(await resolve(project, { ...asked, with_args: true })).toEqual({
      deployments: expected.map((one) => ({ ...one, args: document })),
      next: null,
    });
    expect(await idsOf(project, { ids: [] })).toEqual([]);
  });

  it('given a query, then those on its devices come, and with ids those of them that are named', async () => {
    const project = 'by-query';
    const devices = await registered(project, 4);
    const ids = await deployed(project, [...devices, devices[1]!]);
    const on = (...places: number[]) => places.map((n) => ids[n]!).toSorted();
    const odd = { type: 'odd' };
    expect(await idsOf(project, { query: odd })).toEqual(on(1, 3, 4));
    expect(await idsOf(project, { query: { name_prefix: 'd2' } })).toEqual(on(2));
    expect(await idsOf(project, { query: odd, ids: on(0, 1, 2, 4) })).toEqual(on(1, 4));
    expect(await idsOf(project, { query: odd, ids: [] })).toEqual([]);
    await removed(project, ids[1]!, devices[1]!);
    expect(await idsOf(project, { query: odd })).toEqual(on(3, 4));
  });

  it('given a query that names groups, then a device that is in several of their lists counts once', async () => {
    const project = 'by-group';
    const devices = await registered(project, 3);
    const ids = await deployed(project, devices);
    const create = async (group: { name: string; parent_id?: string; device_ids?: string[] }) =>
      (await service.call(deviceGroups.createGroup, { project_id: project, id: randomUUID(), group })).id;
    const top = await create({ name: 'top', device_ids: devices.slice(0, 2) });
    const below = await create({ name: 'below', parent_id: top, device_ids: devices.slice(1, 2) });
    expect(await idsOf(project, { query: { group: top } })).toEqual(ids.slice(0, 2).toSorted());
    expect(await idsOf(project, { query: { group: below } })).toEqual([ids[1]]);
    expect(await idsOf(project, { query: { group: top, type: 'odd' }, ids })).toEqual([ids[1]]);
  });

  it('given more than a page, then the pages together have each once, in the order of their ids', async () => {
    const project = 'in-pages';
    const devices = await registered(project, 5);
    const ids = (await deployed(project, [...devices, ...devices])).toSorted();
    const walk = async (request: Partial<Request>) => {
      const pages: string[][] = [];
      let after: string | undefined;
      do {
        const page = await resolve(project, { ...request, limit: 4, ...(after && { after }) });
        pages.push(page.deployments.map(({ id }) => id));
        after = page.next ?? undefined;
      } while (after);
      return pages;
    };
    const pages = [ids.slice(0, 4), ids.slice(4, 8), ids.slice(8)];
    expect(await walk({ query: { state: 'REGISTERED' } })).toEqual(pages);
    expect(await walk({ ids: ids.toReversed() })).toEqual(pages);
    expect(await walk({ ids: ids.slice(2, 6) })).toEqual([ids.slice(2, 6)]);
  });

  it('given documents too large for one answer, then the page is shorter and still says that there is more', async () => {
    const project = 'large';
    const devices = await registered(project, 36);
    const query = { state: 'REGISTERED' as const };
    await deployed(project, devices, { blob: 'x'.repeat(250 * 1024) });
    expect(await idsOf(project, { query })).toHaveLength(36);
    const first = await resolve(project, { query, with_args: true });
    expect(first.deployments.length).toBeLessThan(36);
    expect(first.next).toBe(first.deployments.at(-1)!.id);
    const rest = await resolve(project, { query, with_args: true, after: first.next! });
    expect(first.deployments.length + rest.deployments.length).toBe(36);
    expect(rest.next).toBeNull();
  });

  it('given another project, then nothing of it is there, neither its deployments nor its groups', async () => {
    const [own, foreign] = ['own', 'foreign'] as const;
    const devices = await registered(foreign, 1);
    const ids = await deployed(foreign, devices);
    const group = { name: 'g', device_ids: devices };
    const { id } = await service.call(deviceGroups.createGroup, { project_id: foreign, id: randomUUID(), group });
    expect(await idsOf(own, { ids })).toEqual([]);
    expect(await idsOf(own, { query: { ids: devices } })).toEqual([]);
    await expect(resolve(own, { query: { group: id } })).rejects.toMatchObject({
      kind: 'invalid',
      message: `query.group: no group ${id}`,
    });
    expect(await idsOf(foreign, { ids, query: { group: id } })).toEqual(ids);
  });

  it('given neither ids nor a query, then it is refused, for it would mean all', async () => {
    await expect(resolve('own', {})).rejects.toMatchObject({
      kind: 'invalid',
      message: 'query: is required without ids',
    });
  });
});
