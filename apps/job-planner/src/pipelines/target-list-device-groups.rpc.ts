import {
  deviceGroups,
  DomainError,
  invalidField,
  MAX_TARGET_GROUPS,
  pipelines,
  TargetListDeviceGroup,
  type RpcRequest,
  type RpcResponse,
} from '@muster/contracts';
import { Rpc, RpcClient } from '@muster/messaging';
import { Controller } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { documentOf } from './definition.document.js';
import { checkRoom } from './definition.rules.js';
import { PipelineChanges } from './pipeline.changes.js';
import type { TargetListDeviceGroupEntity } from './target-list-device-group.entity.js';
import { TargetListDeviceGroupStore } from './target-list-device-group.store.js';
import { checkListType, targetListKey } from './target-list.rules.js';
import { TargetListStore } from './target-list.store.js';

const contracts = pipelines.targetListDeviceGroup;
type Contracts = typeof contracts;
type Request<M extends keyof Contracts> = RpcRequest<Contracts[M]>;

const toDocument = (row: TargetListDeviceGroupEntity): TargetListDeviceGroup =>
  documentOf<TargetListDeviceGroup>(TargetListDeviceGroup, row);

/** Questions about the groups of devices in target lists, and what users do to them. */
@Controller()
export class TargetListDeviceGroupsRpc {
  constructor(
    private readonly lists: TargetListStore,
    private readonly store: TargetListDeviceGroupStore,
    private readonly rpc: RpcClient,
    private readonly changes: PipelineChanges,
  ) {}

  @Rpc(contracts.create)
  async create({ definition, by, ...key }: Request<'create'>): Promise<TargetListDeviceGroup> {
    const listKey = targetListKey(key);
    const { project_id, target_list_id } = key;
    checkListType(await this.lists.get(listKey), 'GROUPS', 'device_group_id');
    // Asked again: the group may be gone since, but its place in the list is there.
    const existing = await this.store.find(key);
    if (existing) return toDocument(existing);
    const device_group_id = await this.checkGroup(project_id, definition.device_group_id);
    return this.changes.ofPart(this.lists, listKey, async (manager) => {
      const known = await this.store.find(key, manager);
      if (known) return toDocument(known);
      if (await this.store.find({ project_id, target_list_id, device_group_id }, manager))
        throw invalidField('device_group_id', `${device_group_id} is in the list already`);
      const count = await this.store.count({ project_id, target_list_id }, manager);
      checkRoom('devicegroups', 'target list', count, MAX_TARGET_GROUPS);
      return toDocument(await this.store.insert(manager, { ...key, device_group_id }, by));
    });
  }

  @Rpc(contracts.get)
  async get(key: Request<'get'>): Promise<TargetListDeviceGroup> {
    return toDocument(await this.named(key));
  }

  @Rpc(contracts.list)
  async list({ limit, offset, ...filter }: Request<'list'>): Promise<RpcResponse<Contracts['list']>> {
    await this.lists.get(targetListKey(filter));
    const { count, rows } = await this.store.page(filter, { limit, offset });
    return { count, results: rows.map(toDocument) };
  }

  @Rpc(contracts.delete)
  delete(key: Request<'delete'>): Promise<TargetListDeviceGroup> {
    return this.changes.ofPart(this.lists, targetListKey(key), async (manager) => {
      const group = await this.named(key, manager);
      await this.store.delete(manager, group);
      return toDocument(group);
    });
  }

  /** By the id of the device group, as the vendor documents it, or by that of its place in the list, which is what other documents' paths take. */
  private async named({ id, ...list }: Request<'get'>, manager?: EntityManager): Promise<TargetListDeviceGroupEntity> {
    const byGroup = await this.store.find({ ...list, device_group_id: id }, manager);
    return byGroup ?? this.store.get({ ...list, id }, manager);
  }

  private async checkGroup(project_id: string, id: string): Promise<string> {
    try {
      return (await this.rpc.call(deviceGroups.getGroup, { project_id, id })).id;
    } catch (error) {
      if (!(error instanceof DomainError) || error.kind !== 'not_found') throw error;
      throw invalidField('device_group_id', error.message);
    }
  }
}
