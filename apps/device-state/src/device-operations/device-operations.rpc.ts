import {
  operationRollouts,
  operations,
  type DeviceOperation,
  type RpcRequest,
  type RpcResponse,
} from '@muster/contracts';
import { fitting, Rpc } from '@muster/messaging';
import { NATS } from '@muster/service';
import { Controller, Inject } from '@nestjs/common';
import type { NatsConnection } from 'nats';
import { DataSource, type EntityManager } from 'typeorm';
import { DeviceSearch } from '../devices/device.search.js';
import { pageBytes } from '../devices/page.bytes.js';
import { noSuchOperation } from '../operations/operation.cancel.js';
import { resolvedCount } from '../operations/operation.decide.js';
import { OperationEntity } from '../operations/operation.entity.js';
import { DeviceOperationChange, noSuchPart, refuseDeleted, type PartKey } from './device-operation.change.js';
import { DOCUMENT_COLUMNS, toDeviceOperation } from './device-operation.document.js';
import { DeviceOperationEntity } from './device-operation.entity.js';
import { DeviceOperationStore } from './device-operation.store.js';
import { countOf } from './device-operation.way.js';

type PartsRequest = RpcRequest<typeof operationRollouts.listOperationParts>;
type Contracts = typeof operations;
type Request<M extends keyof Contracts> = RpcRequest<Contracts[M]>;
type Response<M extends keyof Contracts> = RpcResponse<Contracts[M]>;

/** Questions about device operations, and what users and services ask of them. */
@Controller()
export class DeviceOperationsRpc {
  constructor(
    private readonly dataSource: DataSource,
    private readonly parts: DeviceOperationStore,
    private readonly search: DeviceSearch,
    private readonly changing: DeviceOperationChange,
    @Inject(NATS) private readonly connection: NatsConnection,
  ) {}

  /** In the order of the devices' ids, as many as one answer may carry; how many there are is known from the operation's counts. */
  @Rpc(operations.listDeviceOperations)
  listDeviceOperations(request: Request<'listDeviceOperations'>): Promise<Response<'listDeviceOperations'>> {
    const { project_id, operation_id, state, limit, offset } = request;
    // One snapshot, so that the page agrees with the count.
    return this.dataSource.transaction('REPEATABLE READ', async (manager) => {
      const operation = await operationOf(manager, request);
      const rows = await manager.getRepository(DeviceOperationEntity).find({
        where: { project_id, operation_id, ...(state && { state }) },
        select: DOCUMENT_COLUMNS,
        order: { device_id: 'ASC' },
        take: limit,
        skip: offset,
      });
      const count = state ? operation[countOf(state)] : resolvedCount(operation);
      return { count, results: fitting(rows.map(toDeviceOperation), pageBytes(this.connection)) };
    });
  }

  /** What a query matches now is told from its pages, of which only what belongs to the operation is left. */
  @Rpc(operationRollouts.listOperationParts)
  async listOperationParts(request: PartsRequest): Promise<RpcResponse<typeof operationRollouts.listOperationParts>> {
    const { project_id, id, query, limit } = request;
    const after = request.after && { after: request.after };
    if (!query) {
      const parts = await this.parts.unbegun(project_id, id, { ...after, limit });
      return { parts, next: parts.length === limit ? parts.at(-1)!.device_id : null };
    }
    const { devices, next } = await this.search.resolve({ project_id, query, limit, ...after });
    const among = devices.map((device) => device.id);
    return { parts: await this.parts.unbegun(project_id, id, { among, limit }), next };
  }

  @Rpc(operations.getDeviceOperation)
  async getDeviceOperation(key: Request<'getDeviceOperation'>): Promise<DeviceOperation> {
    const { project_id, operation_id, device_id } = key;
    await operationOf(this.dataSource.manager, key);
    const row = await this.dataSource
      .getRepository(DeviceOperationEntity)
      .findOne({ where: { project_id, operation_id, device_id }, select: DOCUMENT_COLUMNS });
    if (!row) throw noSuchPart(key);
    return toDeviceOperation(row);
  }

  @Rpc(operations.cancelDeviceOperation)
  async cancelDeviceOperation({ reason, ...key }: Request<'cancelDeviceOperation'>): Promise<DeviceOperation> {
    await this.changing.cancel(key, reason);
    return this.getDeviceOperation(key);
  }

  @Rpc(operations.reportDeviceOperation)
  async reportDeviceOperation({ report, ...key }: Request<'reportDeviceOperation'>): Promise<DeviceOperation> {
    await this.changing.report(key, report);
    return this.getDeviceOperation(key);
  }
}

/** @throws DomainError `not_found`, also when its device operations are no longer kept. */
async function operationOf(
  manager: EntityManager,
  { project_id, operation_id }: Pick<PartKey, 'project_id' | 'operation_id'>,
): Promise<OperationEntity> {
  const operation = await manager.getRepository(OperationEntity).findOneBy({ project_id, id: operation_id });
  if (!operation) throw noSuchOperation(operation_id);
  refuseDeleted(operation);
  return operation;
}
