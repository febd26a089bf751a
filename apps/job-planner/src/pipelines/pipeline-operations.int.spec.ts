import {
  MAX_DOCUMENT_BYTES,
  MAX_OPERATION_LISTS,
  MAX_STAGE_ARGS_BYTES,
  MAX_STAGE_OPERATIONS,
  pipelines,
  type PipelineOperationChange,
} from '@muster/contracts';
import { v7 as uuid } from 'uuid';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ADA, BOB, NOT_FOUND, refusalOf, RunningPipelines } from '../testing/running-pipelines.js';
import { PROJECT } from '../testing/running-planner.js';

const { operation: contracts, operationList: lists } = pipelines;

let running: RunningPipelines;

beforeAll(async () => {
  running = await RunningPipelines.start();
});
afterAll(() => running.planner.service.stop());

const stage = async () => (await running.stage((await running.pipeline()).id)).id;
const operations = (
  operation_list_id: string,
  more: { operation_type?: string; limit?: number; offset?: number } = {},
) => running.call(contracts.list, { project_id: PROJECT, operation_list_id, limit: 1000, offset: 0, ...more });
const change = (operation_list_id: string, id: string, what: PipelineOperationChange) =>
  running.call(contracts.change, { project_id: PROJECT, operation_list_id, id, change: what, by: BOB });

describe('an operation list', () => {
  it('given a create, its repetition, a change and a delete, then it is one list, and its operations go with it', async () => {
    const { id: pipeline_id } = await running.pipeline();
    const { id: stage_id } = await running.stage(pipeline_id);
    const id = uuid();
    const made = await running.operationList(stage_id, id);
    expect(made).toEqual({
      id,
      pipeline_id,
      stage_id,
      name: 'operations',
      description: '',
      created_by: ADA,
      updated_by: ADA,
      created_at: expect.any(String) as string,
      updated_at: made.created_at,
    });
    expect(await running.operationList(stage_id, id)).toEqual(made);
    const which = { project_id: PROJECT, stage_id, id };
    const changed = await running.call(lists.change, { ...which, change: { description: 'first these' }, by: BOB });
    expect(changed).toMatchObject({ name: 'operations', description: 'first these', updated_by: BOB });
    expect(await running.call(lists.list, { project_id: PROJECT, stage_id, limit: 20, offset: 0 })).toEqual({
      count: 1,
      results: [changed],
    });
    await running.operation(id);
    expect(await running.call(lists.delete, which)).toEqual(changed);
    await expect(operations(id)).rejects.toEqual(NOT_FOUND);
    expect(
      await running.planner.service.query(`SELECT FROM pipeline_operation WHERE stage_id = $1`, [stage_id]),
    ).toEqual([]);
  });

  it('given creates at the same time, then no more are made than a stage may have', async () => {
    const id = await stage();
    const made = await Promise.allSettled(
      Array.from({ length: MAX_OPERATION_LISTS + 3 }, () => running.operationList(id)),
    );
    const refused = made.flatMap((one) => (one.status === 'rejected' ? [one.reason as unknown] : []));
    expect(refused).toEqual(Array(3).fill(refusalOf('operationlists', `a stage has at most ${MAX_OPERATION_LISTS}`)));
  });
});

describe('an operation', () => {
  it('given a type alone, then it has no arguments; a repeated create makes nothing more; a change keeps the rest', async () => {
    const list = await running.operationList(await stage());
    const id = uuid();
    const made = await running.operation(list.id, 'REBOOT', undefined, id);
    expect(made).toEqual({
      id,
      operation_list_id: list.id,
      pipeline_id: list.pipeline_id,
      operation_type: 'REBOOT',
      args: {},
      created_by: ADA,
      updated_by: ADA,
      created_at: expect.any(String) as string,
      updated_at: made.created_at,
    });
    expect(await running.operation(list.id, 'REBOOT', undefined, id)).toEqual(made);
    expect(await change(list.id, id, { args: { delay: [1, { at: null }] } })).toMatchObject({
      operation_type: 'REBOOT',
      args: { delay: [1, { at: null }] },
      updated_by: BOB,
    });
    expect(await change(list.id, id, { operation_type: 'WIPE' })).toMatchObject({ args: { delay: [1, { at: null }] } });
    const which = { project_id: PROJECT, operation_list_id: list.id, id };
    expect(await running.call(contracts.delete, which)).toMatchObject({ id, operation_type: 'WIPE' });
    await expect(running.call(contracts.get, which)).rejects.toEqual(NOT_FOUND);
  });

  it('given several, whatever their ids, then they are in the order of their creation', async () => {
    const list = await running.operationList(await stage());
    const ids = Array.from({ length: 5 }, () => uuid()).reverse();
    for (const [at, id] of ids.entries()) await running.operation(list.id, at % 2 ? 'ODD' : 'EVEN', undefined, id);
    const idsOf = async (more: object) => (await operations(list.id, more)).results.map(({ id }) => id);
    expect(await idsOf({})).toEqual(ids);
    expect(await idsOf({ limit: 2, offset: 1 })).toEqual(ids.slice(1, 3));
    expect(await idsOf({ operation_type: 'ODD' })).toEqual([ids[1], ids[3]]);
  });

  it('given creates in two lists at the same time, then a stage has no more than it may in all', async () => {
    const id = await stage();
    const both = [await running.operationList(id), await running.operationList(id)];
    const made = await Promise.allSettled(
      Array.from({ length: MAX_STAGE_OPERATIONS + 6 }, (_, at) => running.operation(both[at % 2]!.id)),
    );
    const refused = made.flatMap((one) => (one.status === 'rejected' ? [one.reason as unknown] : []));
    expect(refused).toEqual(Array(6).fill(refusalOf('operations', `a stage has at most ${MAX_STAGE_OPERATIONS}`)));
    const counts = await Promise.all(both.map(async (list) => (await operations(list.id)).count));
    expect(counts[0]! + counts[1]!).toBe(MAX_STAGE_OPERATIONS);
  });

  it('given arguments that no command may have, then they are refused', async () => {
    const list = await running.operationList(await stage());
    const args = { text: 'x'.repeat(MAX_DOCUMENT_BYTES) };
    const tooLarge = refusalOf('args', `is larger than ${MAX_DOCUMENT_BYTES} bytes`);
    await expect(running.operation(list.id, 'REBOOT', args)).rejects.toEqual(tooLarge);
    const { id } = await running.operation(list.id);
    await expect(change(list.id, id, { args })).rejects.toEqual(tooLarge);
  });

  it('given operations in two lists at the same time, then the arguments of a stage have no more room than its rollout has for them', async () => {
    const id = await stage();
    const both = [await running.operationList(id), await running.operationList(id)];
    const args = { text: 'x'.repeat(60 * 1024) };
    const made = await Promise.allSettled(
      Array.from({ length: 6 }, (_, at) => running.operation(both[at % 2]!.id, 'REBOOT', args)),
    );
    const noRoom = refusalOf('args', `those of a stage together are larger than ${MAX_STAGE_ARGS_BYTES} bytes`);
    expect(made.flatMap((one) => (one.status === 'rejected' ? [one.reason as unknown] : []))).toEqual([noRoom, noRoom]);
    const [first] = (await operations(both[0]!.id)).results;
    await expect(
      change(first!.operation_list_id, first!.id, { args: { text: 'x'.repeat(80 * 1024) } }),
    ).rejects.toEqual(noRoom);
    await change(first!.operation_list_id, first!.id, { args: { text: 'x' } });
    await running.operation(both[1]!.id, 'REBOOT', args);
  });
});
