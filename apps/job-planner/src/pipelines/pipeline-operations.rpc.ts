import {
  DOCUMENT_FAULTS,
  documentFault,
  invalidField,
  MAX_STAGE_ARGS_BYTES,
  MAX_STAGE_OPERATIONS,
  PipelineOperation,
  pipelines,
  type JsonObject,
  type RpcRequest,
  type RpcResponse,
} from '@muster/contracts';
import { Rpc } from '@muster/messaging';
import { Controller } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { documentOf } from './definition.document.js';
import { checkRoom } from './definition.rules.js';
import { OperationListStore } from './operation-list.store.js';
import { PipelineChanges } from './pipeline.changes.js';
import type { PipelineOperationEntity } from './pipeline-operation.entity.js';
import { PipelineOperationStore } from './pipeline-operation.store.js';

const contracts = pipelines.operation;
type Contracts = typeof contracts;
type Request<M extends keyof Contracts> = RpcRequest<Contracts[M]>;

const toOperation = (row: PipelineOperationEntity): PipelineOperation =>
  documentOf<PipelineOperation>(PipelineOperation, row);

/** Questions about the operations of stages, and what users do to them. */
@Controller()
export class PipelineOperationsRpc {
  constructor(
    private readonly lists: OperationListStore,
    private readonly store: PipelineOperationStore,
    private readonly changes: PipelineChanges,
  ) {}

  @Rpc(contracts.create)
  async create({ definition, by, ...key }: Request<'create'>): Promise<PipelineOperation> {
    checkArgs(definition.args);
    const { project_id, operation_list_id } = key;
    return this.changes.ofPart(this.lists, { project_id, id: operation_list_id }, async (manager, list) => {
      const known = await this.store.find(key, manager);
      if (known) return toOperation(known);
      const { pipeline_id, stage_id } = list;
      const count = await this.store.count({ project_id, stage_id }, manager);
      checkRoom('operations', 'stage', count, MAX_STAGE_OPERATIONS);
      await this.checkArgsOfStage(manager, stage_id, key, definition.args);
      const row = { args: {}, ...definition, ...key, pipeline_id, stage_id };
      return toOperation(await this.store.insert(manager, row, by));
    });
  }

  @Rpc(contracts.get)
  async get(key: Request<'get'>): Promise<PipelineOperation> {
    return toOperation(await this.store.get(key));
  }

  @Rpc(contracts.list)
  async list({ limit, offset, ...filter }: Request<'list'>): Promise<RpcResponse<Contracts['list']>> {
    await this.lists.get({ project_id: filter.project_id, id: filter.operation_list_id });
    const { count, rows } = await this.store.page(filter, { limit, offset });
    return { count, results: rows.map(toOperation) };
  }

  @Rpc(contracts.change)
  async change({ change, by, ...key }: Request<'change'>): Promise<PipelineOperation> {
    checkArgs(change.args);
    return this.changes.ofPart(this.store, key, async (manager, operation) => {
      await this.checkArgsOfStage(manager, operation.stage_id, key, change.args);
      return toOperation(await this.store.update(manager, operation, change, by));
    });
  }

  @Rpc(contracts.delete)
  delete(key: Request<'delete'>): Promise<PipelineOperation> {
    return this.changes.ofPart(this.store, key, async (manager, operation) => {
      await this.store.delete(manager, operation);
      return toOperation(operation);
    });
  }

  /** @throws DomainError `invalid` for arguments for which a stage has no room beside those of its other operations. */
  private async checkArgsOfStage(
    manager: EntityManager,
    stage_id: string,
    { project_id, id }: { project_id: string; id: string },
    args: JsonObject = {},
  ): Promise<void> {
    const others = await this.store.otherArgs(manager, { project_id, stage_id, id });
    const bytes = [args, ...others].reduce((sum, one) => sum + Buffer.byteLength(JSON.stringify(one)), 0);
    if (bytes > MAX_STAGE_ARGS_BYTES)
      throw invalidField('args', `those of a stage together are larger than ${MAX_STAGE_ARGS_BYTES} bytes`);
  }
}

/** @throws DomainError `invalid` for arguments that no command may have. */
function checkArgs(args: JsonObject = {}): void {
  const fault = documentFault(args);
  if (fault) throw invalidField('args', DOCUMENT_FAULTS[fault]);
}
