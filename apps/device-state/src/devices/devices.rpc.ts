import {
  deviceState,
  DomainError,
  mergePatch,
  type Device,
  type DeviceQuery,
  type RpcRequest,
  type RpcResponse,
} from '@muster/contracts';
import { Journal } from '@muster/journal';
import { Rpc } from '@muster/messaging';
import { NATS } from '@muster/service';
import { Controller, Inject } from '@nestjs/common';
import type { NatsConnection } from 'nats';
import { toDevice } from './device.document.js';
import { compileDeviceQuery } from './device.query.js';
import { firstOfEachName, registrationResults } from './device.register.js';
import { breachesOf, refuse } from './device.rules.js';
import { DeviceStore, type PageRequest } from './device.store.js';

type Contracts = typeof deviceState;
type Request<M extends keyof Contracts> = RpcRequest<Contracts[M]>;
type Response<M extends keyof Contracts> = RpcResponse<Contracts[M]>;

/** The part of the bus's largest message that the documents of a page may fill. */
const PAGE_SHARE = 0.75;

const notFound = (id: string) => new DomainError('not_found', `no device ${id}`);

const pageRequest = (request: {
  project_id: string;
  query?: DeviceQuery;
  after?: string;
  limit: number;
}): PageRequest => ({
  project_id: request.project_id,
  condition: (taken) => compileDeviceQuery(request.query ?? {}, taken),
  namePrefix: request.query?.name_prefix,
  after: request.after,
  limit: request.limit,
});

/** Questions about devices. Bodies were checked against the contract where they entered; here stand the rules that a schema cannot say. */
@Controller()
export class DevicesRpc {
  constructor(
    private readonly journal: Journal,
    private readonly store: DeviceStore,
    @Inject(NATS) private readonly connection: NatsConnection,
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
  async getDevice({ project_id, id }: Request<'getDevice'>): Promise<Device> {
    const row = await this.store.get(project_id, id);
    if (!row) throw notFound(id);
    return toDevice(row);
  }

  /** A page of large documents may be shorter than its limit; `next` alone says whether there is more. */
  @Rpc(deviceState.listDevices)
  async listDevices(request: Request<'listDevices'>): Promise<Response<'listDevices'>> {
    const maxBytes = Math.floor((this.connection.info?.max_payload ?? 1024 * 1024) * PAGE_SHARE);
    const { rows, next } = await this.store.page(pageRequest(request), maxBytes);
    return { devices: rows.map(toDevice), next };
  }

  @Rpc(deviceState.patchDevice)
  async patchDevice({ project_id, id, patch }: Request<'patchDevice'>): Promise<Device> {
    refuse(breachesOf(patch));
    const row = await this.journal.transaction(project_id, async (tx) => {
      const current = await this.store.lockDocuments(tx, id);
      if (!current) throw notFound(id);
      const fields = {
        ...patch,
        ...(patch.attributes && { attributes: mergePatch(current.attributes, patch.attributes) }),
        ...(patch.desired && { desired: mergePatch(current.desired, patch.desired) }),
      };
      refuse(breachesOf(fields));
      return this.store.update(tx, id, fields);
    });
    return toDevice(row);
  }

  @Rpc(deviceState.resolve)
  async resolve(request: Request<'resolve'>): Promise<Response<'resolve'>> {
    const { rows, next } = await this.store.resolve(pageRequest(request));
    return { devices: rows, next };
  }

  @Rpc(deviceState.presence)
  async presence({ project_id, ids }: Request<'presence'>): Promise<Response<'presence'>> {
    return { devices: await this.store.presence(project_id, ids) };
  }
}
