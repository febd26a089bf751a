import {
  deviceGroups,
  DomainError,
  jobPlanner,
  invalidField,
  type DeviceGroup,
  type GroupUse,
  type RpcRequest,
  type RpcResponse,
} from '@muster/contracts';
import { Journal, type Tx } from '@muster/journal';
import { Rpc, RpcClient } from '@muster/messaging';
import { Controller } from '@nestjs/common';
import { DeviceSearch } from '../devices/device.search.js';
import { toGroup, type GroupRow } from './group.document.js';
import { checkGroup } from './group.rules.js';
import { GroupStore, type NewGroupRow } from './group.store.js';
import { groupsNamedBy } from './group.tree.js';

type Contracts = typeof deviceGroups;
type Request<M extends keyof Contracts> = RpcRequest<Contracts[M]>;
type Response<M extends keyof Contracts> = RpcResponse<Contracts[M]>;

/** The most unknown devices that a refusal names. */
const LISTED_ERRORS = 20;

const notFound = (id: string) => new DomainError('not_found', `no group ${id}`);

/** Questions about groups of devices. */
@Controller()
export class GroupsRpc {
  constructor(
    private readonly journal: Journal,
    private readonly store: GroupStore,
    private readonly search: DeviceSearch,
    private readonly rpc: RpcClient,
  ) {}

  @Rpc(deviceGroups.createGroup)
  async createGroup({ project_id, id, group }: Request<'createGroup'>): Promise<DeviceGroup> {
    const { name, parent_id = null, device_ids, query = null } = group;
    if (device_ids && query) throw invalidField('query', 'a group has either device_ids or a query');
    const row = await this.journal.transaction(project_id, async (tx) => {
      await this.store.lockShape(tx);
      const known = await this.store.lock(tx, id);
      // The same create once more.
      if (known?.name === name) return known;
      const wanted = newRow(id, name, parent_id, query);
      await this.check(tx, wanted);
      if (!(await this.store.create(tx, wanted))) throw new DomainError('conflict', `name: ${name} is taken`);
      if (!device_ids) return (await this.store.lock(tx, id))!;
      return (await this.add(tx, id, device_ids)).row;
    });
    return toGroup(row);
  }

  @Rpc(deviceGroups.getGroup)
  async getGroup({ project_id, id }: Request<'getGroup'>): Promise<DeviceGroup> {
    return toGroup(await this.find(project_id, id));
  }

  @Rpc(deviceGroups.listGroups)
  async listGroups({ project_id, limit, ...filter }: Request<'listGroups'>): Promise<Response<'listGroups'>> {
    const rows = await this.store.page(project_id, filter, limit + 1);
    const groups = rows.slice(0, limit).map(toGroup);
    return { groups, next: rows.length > limit ? groups.at(-1)!.id : null };
  }

  @Rpc(deviceGroups.patchGroup)
  async patchGroup({ project_id, id, patch }: Request<'patchGroup'>): Promise<DeviceGroup> {
    const row = await this.journal.transaction(project_id, async (tx) => {
      await this.store.lockShape(tx);
      const current = await this.store.lock(tx, id);
      if (!current) throw notFound(id);
      if (patch.query && !current.query)
        throw invalidField('query', 'the group has a list of devices, and so no query');
      const wanted = newRow(
        id,
        patch.name ?? current.name,
        patch.parent_id === undefined ? current.parent_id : patch.parent_id,
        patch.query ?? current.query,
      );
      await this.check(tx, wanted);
      const changed = await this.store.update(tx, wanted);
      if (!changed) throw new DomainError('conflict', `name: ${wanted.name} is taken`);
      return changed;
    });
    return toGroup(row);
  }

  @Rpc(deviceGroups.deleteGroup)
  async deleteGroup({ project_id, id }: Request<'deleteGroup'>): Promise<Response<'deleteGroup'>> {
    // Asked without any lock: what comes to name it after this finds it gone when it looks for its devices, and says so.
    const { use } = await this.rpc.call(jobPlanner.useOfGroup, { project_id, id });
    await this.journal.transaction(project_id, async (tx) => {
      await this.store.lockShape(tx);
      if (!(await this.store.lock(tx, id))) throw notFound(id);
      if (use) throw new DomainError('conflict', inWords(use));
      const dependent = await this.store.findDependent(tx, id);
      const waiting = await this.store.findOperation(tx, id);
      if (dependent) {
        const { name, below } = dependent;
        throw new DomainError('conflict', below ? `group ${name} is below it` : `the query of group ${name} names it`);
      }
      if (waiting) throw new DomainError('conflict', `operation ${waiting} has yet to find its devices by it`);
      await this.store.delete(tx, id);
    });
    return {};
  }

  @Rpc(deviceGroups.listGroupDevices)
  async listGroupDevices({ id, ...page }: Request<'listGroupDevices'>): Promise<Response<'listGroupDevices'>> {
    await this.find(page.project_id, id);
    return this.search.page({ ...page, query: { group: id } });
  }

  @Rpc(deviceGroups.addToGroup)
  addToGroup({ project_id, id, device_ids }: Request<'addToGroup'>): Promise<Response<'addToGroup'>> {
    return this.change(project_id, id, (tx) => this.add(tx, id, device_ids));
  }

  @Rpc(deviceGroups.removeFromGroup)
  removeFromGroup({ project_id, id, device_ids }: Request<'removeFromGroup'>): Promise<Response<'removeFromGroup'>> {
    return this.change(project_id, id, async (tx) => {
      const changed = await this.store.remove(tx, id, device_ids);
      return { changed, row: await this.store.count(tx, id, -changed) };
    });
  }

  private async find(project: string, id: string): Promise<GroupRow> {
    const row = await this.store.get(project, id);
    if (!row) throw notFound(id);
    return row;
  }

  private async check(tx: Tx, wanted: NewGroupRow): Promise<void> {
    const { id, parent_id, refers } = wanted;
    const known = await this.store.treeWithin(tx, [id, ...(parent_id === null ? [] : [parent_id]), ...refers]);
    checkGroup(
      { ...wanted, device_count: null },
      known,
      parent_id === null ? 0 : await this.store.depthOf(tx, parent_id),
    );
  }

  private change(project: string, id: string, membership: (tx: Tx) => Promise<{ changed: number; row: GroupRow }>) {
    return this.journal.transaction(project, async (tx) => {
      const group = await this.store.lock(tx, id);
      if (!group) throw notFound(id);
      if (group.query) throw new DomainError('conflict', `group ${group.name} has its devices from a query`);
      const { changed, row } = await membership(tx);
      return { changed, group: toGroup(row) };
    });
  }

  private async add(tx: Tx, id: string, devices: readonly string[]): Promise<{ changed: number; row: GroupRow }> {
    const unknown = await this.store.unknownDevices(tx, devices, LISTED_ERRORS);
    const errors = unknown.map((device) => ({
      field: `device_ids.${device.place}`,
      message: `no device ${device.id}`,
    }));
    if (errors[0]) throw new DomainError('invalid', `${errors[0].field}: ${errors[0].message}`, { errors });
    const changed = await this.store.add(tx, id, devices);
    return { changed, row: await this.store.count(tx, id, changed) };
  }
}

const inWords = ({ entity, id, name }: GroupUse): string => {
  const what = `${entity.replace('-', ' ')} ${name && `${name}, `}${id}`;
  return entity === 'target-list' || entity === 'stage'
    ? `${what} names it`
    : `${what} has yet to find its devices by it`;
};

const newRow = (id: string, name: string, parent_id: string | null, query: NewGroupRow['query']): NewGroupRow => ({
  id,
  name,
  parent_id: parent_id?.toLowerCase() ?? null,
  query,
  refers: query ? groupsNamedBy(query) : [],
});
