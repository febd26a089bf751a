import {
  deviceState,
  DomainError,
  mergePatch,
  type DeviceDetail,
  type RpcRequest,
  type RpcResponse,
} from '@muster/contracts';
import { Journal } from '@muster/journal';
import { Rpc } from '@muster/messaging';
import { Controller } from '@nestjs/common';
import { isDeepStrictEqual } from 'node:util';
import { isConverged } from '../drift/drift.decide.js';
import { DriftStore } from '../drift/drift.store.js';
import { toDeviceDetail } from './device.document.js';
import { firstOfEachName, registrationResults } from './device.register.js';
import { breachesOf, refuse } from './device.rules.js';
import { DeviceSearch } from './device.search.js';
import { DeviceStore } from './device.store.js';

type Contracts = typeof deviceState;
type Request<M extends keyof Contracts> = RpcRequest<Contracts[M]>;
type Response<M extends keyof Contracts> = RpcResponse<Contracts[M]>;

export const noSuchDevice = (id: string) => new DomainError('not_found', `no device ${id}`);

/** Questions about devices. Bodies were checked against the contract where they entered; here stand the rules that a schema cannot say. */
@Controller()
export class DevicesRpc {
  constructor(
    private readonly journal: Journal,
    private readonly store: DeviceStore,
    private readonly search: DeviceSearch,
    private readonly drifts: DriftStore,
  ) {}

  @Rpc(deviceState.registerDevices)
  async registerDevices({ project_id, devices }: Request<'registerDevices'>): Promise<Response<'registerDevices'>> {
    refuse(devices.flatMap(({ device }, index) => breachesOf(device, `devices.${index}.device.`)));
    const results = await this.journal.transaction(project_id, async (tx) => {
      await this.store.lockNames(tx);
      const distinct = firstOfEachName(devices);
      const created = await this.store.create(tx, distinct);
      const idOfName = await this.store.idsOfNames(
        tx,
        distinct.map(({ device }) => device.name),
      );
      return registrationResults(devices, new Set(created), idOfName);
    });
    return { results };
  }

  @Rpc(deviceState.getDevice)
  async getDevice({ project_id, id }: Request<'getDevice'>): Promise<DeviceDetail> {
    const row = await this.store.get(project_id, id);
    if (!row) throw noSuchDevice(id);
    return toDeviceDetail(row);
  }

  @Rpc(deviceState.listDevices)
  listDevices(request: Request<'listDevices'>): Promise<Response<'listDevices'>> {
    return this.search.page(request);
  }

  @Rpc(deviceState.patchDevice)
  async patchDevice({ project_id, id, patch }: Request<'patchDevice'>): Promise<DeviceDetail> {
    refuse(breachesOf(patch));
    const row = await this.journal.transaction(project_id, async (tx) => {
      const current = await this.store.lockDocuments(tx, id);
      if (!current) throw noSuchDevice(id);
      const fields = {
        ...patch,
        ...(patch.attributes && { attributes: mergePatch(current.attributes, patch.attributes) }),
        ...(patch.desired && { desired: mergePatch(current.desired, patch.desired) }),
      };
      refuse(breachesOf(fields));
      // Saying it once more is no change, and ends no drift.
      if (isDeepStrictEqual(fields.desired, current.desired)) delete fields.desired;
      const converged = fields.desired && isConverged(fields.desired, current.reported);
      const row = await this.store.update(tx, id, fields, converged);
      if (current.drifted && !row.drifted) await this.drifts.resolve(tx, [id], 'desired changed');
      return row;
    });
    return toDeviceDetail(row);
  }

  @Rpc(deviceState.resolve)
  resolve(request: Request<'resolve'>): Promise<Response<'resolve'>> {
    return this.search.resolve(request);
  }

  @Rpc(deviceState.reportedAt)
  async reportedAt({ project_id, ids, path }: Request<'reportedAt'>): Promise<Response<'reportedAt'>> {
    const rows = await this.store.reportedAt(project_id, ids, path);
    // The value may be a null of JSON, which is something, so it comes as text.
    return {
      devices: rows.map(({ id, value }) => ({ id, ...(value !== null && { value: JSON.parse(value) as unknown }) })),
    };
  }

  @Rpc(deviceState.presence)
  async presence({ project_id, ids }: Request<'presence'>): Promise<Response<'presence'>> {
    return { devices: await this.store.presence(project_id, ids) };
  }
}
