import {
  DomainError,
  invalidField,
  operations,
  type DeviceOperation,
  type DeviceOperationState,
  type NewOperation,
  type Operation,
} from '@muster/contracts';
import type { NatsConnection } from 'nats';
import { answerRpc, PLAN_OF_NOTHING } from './services.fake.js';

const TIME = '2025-01-01T00:00:00.000Z';

/** The operations of device-state as far as their contract can be seen: one device each, creates idempotent by id. */
export class FakeOperations {
  readonly operations = new Map<string, Operation & { project_id: string }>();
  readonly parts = new Map<string, DeviceOperation>();
  readonly asked: unknown[] = [];

  constructor(private readonly bus: NatsConnection) {}

  async start(): Promise<void> {
    answerRpc(this.bus, operations.createOperation, (request) => {
      this.asked.push(request);
      const { project_id, id, operation, created_by } = request;
      if (!this.operations.has(id)) {
        this.operations.set(id, { project_id, ...documentOf(id, operation, created_by) });
        this.parts.set(id, partOf(id));
      }
      return this.find(project_id, id);
    });
    answerRpc(this.bus, operations.planOperation, (request) => {
      this.asked.push(request);
      return PLAN_OF_NOTHING;
    });
    answerRpc(this.bus, operations.getOperation, ({ project_id, id }) => this.find(project_id, id));
    answerRpc(this.bus, operations.listOperations, (request) => this.list(request));
    answerRpc(this.bus, operations.listOperationsOfDevice, (request) => this.list(request));
    answerRpc(this.bus, operations.cancelOperation, (request) => {
      this.asked.push(request);
      const operation = this.find(request.project_id, request.id);
      if (operation.state === 'SUCCESS')
        throw invalidField('state', 'an operation that is SUCCESS cannot be cancelled');
      return { ...operation, state: 'CANCELLED' as const, reason: request.reason };
    });
    answerRpc(this.bus, operations.listDeviceOperations, (request) => {
      this.asked.push(request);
      this.find(request.project_id, request.operation_id);
      return { count: 45, results: [this.parts.get(request.operation_id)!] };
    });
    answerRpc(this.bus, operations.getDeviceOperation, (key) => this.part(key));
    answerRpc(this.bus, operations.cancelDeviceOperation, (request) => this.change(request, 'CANCELLED'));
    answerRpc(this.bus, operations.reportDeviceOperation, (request) => this.change(request, request.report.state));
    await this.bus.flush();
  }

  private list(request: { project_id: string; limit: number; offset: number }) {
    this.asked.push(request);
    const all = [...this.operations.values()].filter(({ project_id }) => project_id === request.project_id);
    const page = all.slice(request.offset, request.offset + request.limit);
    return { count: all.length, results: page.map(({ id }) => this.find(request.project_id, id)) };
  }

  private find(project: string, id: string): Operation {
    const known = this.operations.get(id);
    if (known?.project_id !== project) throw new DomainError('not_found', `operation ${id} does not exist`);
    const { project_id: _project, ...document } = known;
    return document;
  }

  private part({ project_id, operation_id }: { project_id: string; operation_id: string }): DeviceOperation {
    this.find(project_id, operation_id);
    return this.parts.get(operation_id)!;
  }

  private change(request: { project_id: string; operation_id: string }, state: DeviceOperationState): DeviceOperation {
    this.asked.push(request);
    return { ...this.part(request), state };
  }
}

const documentOf = (id: string, operation: NewOperation, created_by: string): Operation => ({
  id,
  operation: operation.operation,
  state: 'CREATED',
  schedule_type: operation.schedule_type === 'WINDOW' ? 'WINDOW' : 'IMMEDIATE',
  schedule_args: operation.schedule_args ?? {},
  operation_device_query: operation.operation_device_query,
  arguments: operation.arguments ?? {},
  reason: operation.reason ?? '',
  created_at: TIME,
  created_by,
  updated_at: TIME,
  updated_by: created_by,
  operation_activity: [{ operation_state: 'CREATED', created_at: TIME }],
  operation_stats: {
    device_operation_statuses_count: {
      resolved_device_count: 0,
      dispatched_device_count: 0,
      dispatch_failed_count: 0,
      failed_device_count: 0,
      success_device_count: 0,
    },
  },
});

const partOf = (operation_id: string): DeviceOperation => ({
  id: operation_id,
  operation_id,
  device_id: '3bafab7b-4400-4bcf-8e6e-09f954699940',
  state: 'CREATED',
  reason: '',
  created_at: TIME,
  updated_at: TIME,
  device_operation_activity: [{ device_operation_state: 'CREATED', created_at: TIME }],
});
