import {
  DomainError,
  invalidField,
  MAX_TARGETS,
  pipelines,
  Target,
  type RpcRequest,
  type RpcResponse,
} from '@muster/contracts';
import { Rpc } from '@muster/messaging';
import { Controller } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { documentOf } from './definition.document.js';
import { checkKept, checkRoom } from './definition.rules.js';
import { PipelineChanges } from './pipeline.changes.js';
import { checkListType, targetListKey } from './target-list.rules.js';
import { TargetListStore } from './target-list.store.js';
import { TargetDevices, type NamedDevice } from './target.devices.js';
import type { TargetEntity } from './target.entity.js';
import { TargetStore } from './target.store.js';

const contracts = pipelines.target;
type Contracts = typeof contracts;
type Request<M extends keyof Contracts> = RpcRequest<Contracts[M]>;

const DEFAULTS = { device_alias: '', is_active: true };
/** The most unknown devices that a refusal names. */
const LISTED_ERRORS = 20;

const toTarget = (row: TargetEntity): Target => documentOf<Target>(Target, row);

/** Questions about the devices in target lists, and what users do to them. Those of a list that is gone are not there. */
@Controller()
export class TargetsRpc {
  constructor(
    private readonly lists: TargetListStore,
    private readonly store: TargetStore,
    private readonly devices: TargetDevices,
    private readonly changes: PipelineChanges,
  ) {}

  @Rpc(contracts.create)
  async create({ definition, by, ...key }: Request<'create'>): Promise<Target> {
    const listKey = targetListKey(key);
    checkListType(await this.lists.get(listKey), 'DEVICES', 'device_id');
    // Asked again: the device may be gone since, but the target is there.
    const existing = await this.store.find(key);
    if (existing) return toTarget(existing);
    const [device] = await this.known(key.project_id, [definition.device_id], () => 'device_id');
    return this.changes.ofPart(this.lists, listKey, async (manager) => {
      const known = await this.store.find(key, manager);
      if (known) return toTarget(known);
      const { project_id, target_list_id } = key;
      if (await this.store.find({ project_id, target_list_id, device_id: device!.id }, manager))
        throw invalidField('device_id', `${device!.id} is in the list already`);
      const row = { ...DEFAULTS, device_name: device!.name, ...definition, ...key };
      const target = await this.store.insert(manager, row, by);
      await this.checkNumber(manager, key);
      return toTarget(target);
    });
  }

  @Rpc(contracts.addAll)
  async addAll({ device_ids, by, ...key }: Request<'addAll'>): Promise<RpcResponse<Contracts['addAll']>> {
    const listKey = targetListKey(key);
    checkListType(await this.lists.get(listKey), 'DEVICES', 'device_ids');
    const devices = await this.known(key.project_id, device_ids, (place) => `device_ids.${place}`);
    return this.changes.ofPart(this.lists, listKey, async (manager, list) => {
      const added = await this.store.addAll(manager, list, devices, by);
      await this.checkNumber(manager, key);
      return { added };
    });
  }

  @Rpc(contracts.get)
  async get(key: Request<'get'>): Promise<Target> {
    await this.lists.get(targetListKey(key));
    return toTarget(await this.store.get(key));
  }

  @Rpc(contracts.list)
  async list({ limit, offset, device_ids, ...filter }: Request<'list'>): Promise<RpcResponse<Contracts['list']>> {
    await this.lists.get(targetListKey(filter));
    const { count, rows } = await this.store.page({ ...filter, device_id: device_ids }, { limit, offset });
    return { count, results: rows.map(toTarget) };
  }

  @Rpc(contracts.change)
  change({ change, by, ...key }: Request<'change'>): Promise<Target> {
    const { device_id, device_alias, ...rest } = change;
    return this.changes.ofPart(this.lists, targetListKey(key), async (manager) => {
      const target = await this.store.get(key, manager);
      checkKept(target, { device_id: device_id?.toLowerCase(), device_alias });
      return toTarget(await this.store.update(manager, target, rest, by));
    });
  }

  @Rpc(contracts.delete)
  delete(key: Request<'delete'>): Promise<Target> {
    return this.changes.ofPart(this.lists, targetListKey(key), async (manager) => {
      const target = await this.store.get(key, manager);
      await this.store.delete(manager, target);
      return toTarget(target);
    });
  }

  /** Looked at last: only then is it known how many of the devices were not in the list. */
  private async checkNumber(
    manager: EntityManager,
    key: { project_id: string; target_list_id: string },
  ): Promise<void> {
    const { project_id, target_list_id } = key;
    const count = await this.store.count({ project_id, target_list_id }, manager);
    checkRoom('targets', 'target list', count - 1, MAX_TARGETS);
  }

  /** The devices with these ids, each once, in their order. @throws DomainError `invalid` naming the fields of those that do not exist. */
  private async known(
    project: string,
    ids: readonly string[],
    fieldOf: (place: number) => string,
  ): Promise<NamedDevice[]> {
    const places = new Map<string, number>();
    for (const [place, id] of ids.entries()) if (!places.has(id.toLowerCase())) places.set(id.toLowerCase(), place);
    const found = await this.devices.find(project, [...places.keys()]);
    const unknown = [...places].filter(([id]) => !found.has(id));
    const errors = unknown
      .slice(0, LISTED_ERRORS)
      .map(([id, place]) => ({ field: fieldOf(place), message: `no device ${id}` }));
    if (errors[0]) throw new DomainError('invalid', `${errors[0].field}: ${errors[0].message}`, { errors });
    return [...places.keys()].map((id) => found.get(id)!);
  }
}
