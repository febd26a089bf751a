import { operations } from '@muster/contracts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { MAKER, PROJECT, RunningOperations } from '../testing/running-operations.js';

let running: RunningOperations;

beforeAll(async () => {
  running = await RunningOperations.start();
});
afterAll(() => running.stop());

/** The names of a document in their order, with what kind of value stands at each; of a list, its first. */
function shapeOf(value: unknown): unknown {
  if (Array.isArray(value)) return [shapeOf(value[0])];
  if (typeof value === 'object' && value !== null)
    return Object.entries(value).map(([name, inner]) => [name, shapeOf(inner)]);
  if (typeof value !== 'string') return typeof value;
  if (/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(value)) return 'uuid';
  return /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d+)?Z$/.test(value) ? 'time' : 'text';
}

// Seed 001, field by field; what is an empty object there is any.
const OPERATION = {
  id: '497f6eca-6276-4993-bfeb-53cbbbba6f08',
  operation: 'CONVERGE',
  state: 'CREATED',
  schedule_type: 'IMMEDIATE',
  schedule_args: {
    start_datetime: '2019-08-24T14:15:22Z',
    end_datetime: '2019-08-24T14:15:22Z',
    time_type: 'console',
    window_start_time: '2019-08-24T14:15:22Z',
    window_end_time: '2019-08-24T14:15:22Z',
    days: [0],
  },
  operation_device_query: {},
  arguments: { sample_key: 'string', converge_with_provision: true },
  reason: 'string',
  created_at: '2019-08-24T14:15:22Z',
  created_by: 'ee824cad-d7a6-4f48-87dc-e8461a9201c4',
  updated_at: '2019-08-24T14:15:22Z',
  updated_by: 'deea00dc-b6b6-4412-a483-26ac61e1f6fe',
  operation_activity: [{ operation_state: 'CREATED', created_at: '2019-08-24T14:15:22Z' }],
  operation_stats: {
    device_operation_statuses_count: {
      resolved_device_count: 0,
      dispatched_device_count: 0,
      dispatch_failed_count: 0,
      failed_device_count: 0,
      success_device_count: 0,
    },
  },
};
const DEVICE_OPERATION = {
  id: '497f6eca-6276-4993-bfeb-53cbbbba6f08',
  operation_id: 'cb4ede3c-a5d1-45e3-a9d2-fe83accbce52',
  device_id: '3bafab7b-4400-4bcf-8e6e-09f954699940',
  state: 'CREATED',
  reason: '',
  created_at: '2019-08-24T14:15:22Z',
  updated_at: '2019-08-24T14:15:22Z',
  device_operation_activity: [{ device_operation_state: 'CREATED', created_at: '2019-08-24T14:15:22Z' }],
};

describe('the documents of seed 001', () => {
  it('given the body that the seed shows, then the operation is its document, from whichever question', async () => {
    const [device] = await running.devices(1, { desired: { v: 1 } });
    const { schedule_args, operation_device_query, arguments: given, reason } = OPERATION;
    const created = await running.ask({
      operation: 'CONVERGE',
      schedule_type: 'IMMEDIATE',
      schedule_args: schedule_args as object,
      operation_device_query,
      arguments: given,
      reason,
    });
    const listed = await running.state.call(operations.listOperations, {
      project_id: PROJECT,
      ordering: '-created_at',
      limit: 1,
      offset: 0,
    });
    await running.askedFor(created.id, 1);
    const ofDevice = await running.state.call(operations.listOperationsOfDevice, {
      project_id: PROJECT,
      device_id: device!,
      limit: 1,
      offset: 0,
    });
    const documents = [created, await running.operation(created.id), listed.results[0], ofDevice.results[0]];
    for (const document of documents) {
      // Postgres keeps free documents in an order of its own.
      expect(shapeOf({ ...document, arguments: given })).toEqual(shapeOf(OPERATION));
      expect(document).toMatchObject({
        operation: 'CONVERGE',
        schedule_type: 'IMMEDIATE',
        schedule_args,
        arguments: given,
        operation_device_query: {},
        reason: 'string',
        created_by: MAKER,
        updated_by: MAKER,
      });
      expect(document!.operation_activity[0]!.operation_state).toBe('CREATED');
    }
  });

  it('given a device operation, then it is the document of the seed, alone and in a list', async () => {
    const [device] = await running.devices(1);
    const id = await running.create([device!]);
    await running.askedFor(id, 1);
    const alone = await running.part(id, device!);
    const { results } = await running.parts(id);
    for (const document of [alone, results[0]]) {
      expect(shapeOf({ ...document, reason: '' })).toEqual(shapeOf(DEVICE_OPERATION));
      expect(document).toMatchObject({ operation_id: id, device_id: device, state: 'INITIATED' });
    }
  });
});
