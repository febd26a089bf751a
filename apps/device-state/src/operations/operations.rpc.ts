import {
  operations,
  type Operation,
  type OperationOrdering,
  type RpcRequest,
  type RpcResponse,
} from '@muster/contracts';
import { Rpc } from '@muster/messaging';
import { Controller } from '@nestjs/common';
import { DataSource, In, type FindOptionsOrder } from 'typeorm';
import { DeviceOperationEntity } from '../device-operations/device-operation.entity.js';
import { noSuchDevice } from '../devices/devices.rpc.js';
import { DeviceStore } from '../devices/device.store.js';
import { OperationCancel, noSuchOperation } from './operation.cancel.js';
import { OperationCreate } from './operation.create.js';
import { toOperation } from './operation.document.js';
import { OperationEntity } from './operation.entity.js';

type Contracts = typeof operations;
type Request<M extends keyof Contracts> = RpcRequest<Contracts[M]>;
type Response<M extends keyof Contracts> = RpcResponse<Contracts[M]>;

const ORDERS: Record<OperationOrdering, FindOptionsOrder<OperationEntity>> = {
  created_at: { created_at: 'ASC', id: 'ASC' },
  '-created_at': { created_at: 'DESC', id: 'DESC' },
  updated_at: { updated_at: 'ASC', id: 'ASC' },
  '-updated_at': { updated_at: 'DESC', id: 'DESC' },
};

/** Questions about operations, and what users ask of them. */
@Controller()
export class OperationsRpc {
  constructor(
    private readonly dataSource: DataSource,
    private readonly devices: DeviceStore,
    private readonly creation: OperationCreate,
    private readonly cancellation: OperationCancel,
  ) {}

  @Rpc(operations.createOperation)
  async createOperation(request: Request<'createOperation'>): Promise<Operation> {
    return toOperation(await this.creation.create(request));
  }

  @Rpc(operations.getOperation)
  async getOperation({ project_id, id }: Request<'getOperation'>): Promise<Operation> {
    const row = await this.dataSource.getRepository(OperationEntity).findOneBy({ project_id, id });
    if (!row) throw noSuchOperation(id);
    return toOperation(row);
  }

  @Rpc(operations.listOperations)
  async listOperations(request: Request<'listOperations'>): Promise<Response<'listOperations'>> {
    const { project_id, state, operation_type, ordering, limit, offset } = request;
    const [rows, count] = await this.dataSource.getRepository(OperationEntity).findAndCount({
      where: { project_id, ...(state && { state }), ...(operation_type && { operation: operation_type }) },
      order: ORDERS[ordering],
      take: limit,
      skip: offset,
    });
    return { count, results: rows.map(toOperation) };
  }

  @Rpc(operations.listOperationsOfDevice)
  async listOperationsOfDevice(
    request: Request<'listOperationsOfDevice'>,
  ): Promise<Response<'listOperationsOfDevice'>> {
    const { project_id, device_id, limit, offset } = request;
    const [known] = await this.devices.presence(project_id, [device_id]);
    if (!known) throw noSuchDevice(device_id);
    const [parts, count] = await this.dataSource.getRepository(DeviceOperationEntity).findAndCount({
      where: { project_id, device_id },
      select: { project_id: true, id: true, operation_id: true },
      order: { id: 'DESC' },
      take: limit,
      skip: offset,
    });
    const rows = await this.dataSource
      .getRepository(OperationEntity)
      .findBy({ project_id, id: In(parts.map(({ operation_id }) => operation_id)) });
    const byId = new Map(rows.map((row) => [row.id, row]));
    return { count, results: parts.map(({ operation_id }) => toOperation(byId.get(operation_id)!)) };
  }

  @Rpc(operations.cancelOperation)
  async cancelOperation({ project_id, id, reason, by }: Request<'cancelOperation'>): Promise<Operation> {
    await this.cancellation.cancel({ project_id, id }, reason, by);
    return this.getOperation({ project_id, id });
  }
}
