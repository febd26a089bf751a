import {
  operationRollouts,
  operations,
  PLAN_MS,
  type NewOperation,
  type Operation,
  type OperationOrdering,
  type RolloutPlan,
  type RpcRequest,
  type RpcResponse,
} from '@muster/contracts';
import { Rpc, RpcClient } from '@muster/messaging';
import { NATS } from '@muster/service';
import { Controller, Inject } from '@nestjs/common';
import type { NatsConnection } from 'nats';
import { DataSource, In, type FindOptionsOrder } from 'typeorm';
import { DeviceOperationEntity } from '../device-operations/device-operation.entity.js';
import { noSuchDevice } from '../devices/devices.rpc.js';
import { DeviceStore } from '../devices/device.store.js';
import { pageBytes } from '../devices/page.bytes.js';
import { OperationCancel, noSuchOperation } from './operation.cancel.js';
import { OperationCreate } from './operation.create.js';
import { toOperation } from './operation.document.js';
import { OperationEntity } from './operation.entity.js';
import { OperationStore } from './operation.store.js';

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
    private readonly store: OperationStore,
    private readonly devices: DeviceStore,
    private readonly creation: OperationCreate,
    private readonly cancellation: OperationCancel,
    private readonly rpc: RpcClient,
    @Inject(NATS) private readonly connection: NatsConnection,
  ) {}

  @Rpc(operations.createOperation)
  async createOperation(request: Request<'createOperation'>): Promise<Operation> {
    return toOperation(await this.creation.create(request));
  }

  @Rpc(operations.planOperation)
  async planOperation({ project_id, operation: asked, timezone }: Request<'planOperation'>): Promise<RolloutPlan> {
    const operation = asked as NewOperation;
    await this.creation.check(project_id, operation, timezone, Date.now());
    const { operation: name, operation_device_query: query, rollout = {} } = operation;
    const given = Object.keys(query).length > 0 && { query };
    const request = { project_id, operation: name, ...given, rollout };
    return this.rpc.call(operationRollouts.planOperationRollout, request, PLAN_MS);
  }

  @Rpc(operations.getOperation)
  async getOperation({ project_id, id }: Request<'getOperation'>): Promise<Operation> {
    const row = await this.dataSource.getRepository(OperationEntity).findOneBy({ project_id, id });
    if (!row) throw noSuchOperation(id);
    return toOperation(row);
  }

  /** A page of large documents may be shorter than its limit. */
  @Rpc(operations.listOperations)
  async listOperations(request: Request<'listOperations'>): Promise<Response<'listOperations'>> {
    const { project_id, state, operation_type, ordering, limit, offset } = request;
    const [page, count] = await this.dataSource.getRepository(OperationEntity).findAndCount({
      where: { project_id, ...(state && { state }), ...(operation_type && { operation: operation_type }) },
      select: { project_id: true, id: true },
      order: ORDERS[ordering],
      take: limit,
      skip: offset,
    });
    const ids = page.map(({ id }) => id);
    return { count, results: await this.documents(project_id, ids) };
  }

  /** As {@link listOperations}. */
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
    const ids = parts.map(({ operation_id }) => operation_id);
    return { count, results: await this.documents(project_id, ids) };
  }

  @Rpc(operations.cancelOperation)
  async cancelOperation({ project_id, id, reason, by }: Request<'cancelOperation'>): Promise<Operation> {
    await this.cancellation.cancel({ project_id, id }, reason, by);
    return this.getOperation({ project_id, id });
  }

  /** The operations in the order of the ids, from the first, as far as one answer may carry them; no more are read. */
  private async documents(project_id: string, ids: readonly string[]): Promise<Operation[]> {
    const sizes = await this.store.sizes(project_id, ids);
    const most = pageBytes(this.connection);
    let bytes = 0;
    const fitting = ids.filter((id, place) => (bytes += sizes.get(id)!) <= most || place === 0);
    const rows = await this.dataSource.getRepository(OperationEntity).findBy({ project_id, id: In(fitting) });
    const byId = new Map(rows.map((row) => [row.id, row]));
    return fitting.map((id) => toOperation(byId.get(id)!));
  }
}
