import { pipelines, type RpcContract } from '@muster/contracts';
import { v7 as uuid } from 'uuid';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ADA, BOB, NOT_FOUND, RunningPipelines } from '../testing/running-pipelines.js';
import { PROJECT } from '../testing/running-planner.js';
import { TargetRemoval } from './target.removal.js';

const { pipeline: contracts } = pipelines;

let running: RunningPipelines;

beforeAll(async () => {
  running = await RunningPipelines.start();
});
afterAll(() => running.planner.service.stop());

const create = (project_id: string, name: string, more: { is_default?: boolean; description?: string } = {}) =>
  running.call(contracts.create, { project_id, id: uuid(), definition: { name, ...more }, by: ADA });
const remove = (id: string) => running.call(contracts.delete, { project_id: PROJECT, id });
const list = (project_id: string, filter: object = {}) =>
  running.call(contracts.list, { project_id, limit: 20, offset: 0, ...filter });

describe('a pipeline', () => {
  it('given a name alone, then the rest is what the interface promises', async () => {
    const id = uuid();
    const made = await running.pipeline('Night shift', id);
    expect(made).toEqual({
      id,
      name: 'Night shift',
      description: '',
      is_active: true,
      is_valid: false,
      is_default: false,
      timeout_seconds: 1_814_400,
      created_by: ADA,
      updated_by: ADA,
      created_at: expect.stringMatching(/^\d{4}-.*Z$/) as string,
      updated_at: made.created_at,
    });
    expect(await running.call(contracts.get, { project_id: PROJECT, id })).toEqual(made);
  });

  it('given the same create again, also at once, then it answers the same pipeline as it is', async () => {
    const id = uuid();
    const made = await Promise.all([1, 2, 3, 4].map(() => running.pipeline('once', id)));
    expect(new Set(made.map((one) => one.created_at)).size).toBe(1);
    await running.call(contracts.change, { project_id: PROJECT, id, change: { name: 'renamed' }, by: BOB });
    expect(await running.pipeline('once', id)).toMatchObject({ id, name: 'renamed', updated_by: BOB });
  });

  it('given a change, then what it does not name stays, and who made it is known', async () => {
    const made = await create(PROJECT, 'before', { description: 'kept' });
    const which = { project_id: PROJECT, id: made.id, by: BOB };
    const changed = await running.call(contracts.change, {
      ...which,
      change: { is_active: false, timeout_seconds: 5 },
    });
    expect(changed).toEqual({
      ...made,
      is_active: false,
      timeout_seconds: 5,
      updated_by: BOB,
      updated_at: changed.updated_at,
    });
    expect(Date.parse(changed.updated_at)).toBeGreaterThan(Date.parse(made.updated_at));
    expect(await running.call(contracts.change, { ...which, change: {} })).toMatchObject({ description: 'kept' });
  });

  it('given several, then a list is filtered, ordered and paged', async () => {
    const names = ['beta', 'alpha', 'Beta', 'beta'];
    for (const name of names) await create('listed', name, { is_default: name === 'alpha' });
    const namesOf = async (filter: object) => (await list('listed', filter)).results.map(({ name }) => name);
    expect(await namesOf({})).toEqual(names);
    expect(await namesOf({ ordering: 'name' })).toEqual(['Beta', 'alpha', 'beta', 'beta']);
    expect(await namesOf({ ordering: '-name', offset: 1, limit: 2 })).toEqual(['beta', 'alpha']);
    expect(await list('listed', { name: 'beta', limit: 1 })).toMatchObject({ count: 2, results: [{ name: 'beta' }] });
    expect(await namesOf({ is_default: true })).toEqual(['alpha']);
    expect(await namesOf({ is_default: false, name: 'alpha' })).toEqual([]);
  });

  it('given rows that no answer carries together, then a page is shorter, and the next one goes on', async () => {
    const description = 'ß'.repeat(1024);
    await Promise.all(Array.from({ length: 300 }, (_, n) => create('large', `p${n}`, { description })));
    const first = await list('large', { limit: 1000 });
    expect(first.count).toBe(300);
    expect(first.results.length).toBeLessThan(300);
    const rest = await list('large', { limit: 1000, offset: first.results.length });
    expect(new Set([...first.results, ...rest.results].map(({ id }) => id)).size).toBe(300);
  });
});

describe('whether a pipeline is valid', () => {
  it('given a stage with an operation and a target, then it is; without any of them, then it is not', async () => {
    const { pipeline, stage, list: targets, target, operations, operation } = await running.whole();
    const ofPipeline = { project_id: PROJECT, pipeline_id: pipeline.id };
    const key = { ...ofPipeline, target_list_id: targets.id, id: target.id };
    expect(await running.isValid(pipeline.id)).toBe(true);

    await running.call(pipelines.target.change, { ...key, change: { is_active: false }, by: ADA });
    expect(await running.isValid(pipeline.id)).toBe(false);
    await running.call(pipelines.target.change, { ...key, change: { is_active: true }, by: ADA });
    expect(await running.isValid(pipeline.id)).toBe(true);

    const link = { project_id: PROJECT, stage_id: stage.id, target_list_id: targets.id };
    await running.call(pipelines.stageTargetList.unlink, link);
    expect(await running.isValid(pipeline.id)).toBe(false);
    await running.link(stage.id, targets.id);

    const { id } = await running.stage(pipeline.id, { name: 'with nothing to do' });
    expect(await running.isValid(pipeline.id)).toBe(false);
    await running.call(pipelines.stage.delete, { ...ofPipeline, id });
    expect(await running.isValid(pipeline.id)).toBe(true);

    const which = { project_id: PROJECT, operation_list_id: operations.id, id: operation.id };
    await running.call(pipelines.operation.delete, which);
    expect(await running.isValid(pipeline.id)).toBe(false);
  });

  it('given a list of groups, then a group is a target', async () => {
    const { pipeline, stage, list: targets } = await running.whole();
    await running.call(pipelines.targetList.delete, { project_id: PROJECT, pipeline_id: pipeline.id, id: targets.id });
    expect(await running.isValid(pipeline.id)).toBe(false);
    const groups = await running.list(pipeline.id, 'GROUPS');
    await running.link(stage.id, groups.id);
    expect(await running.isValid(pipeline.id)).toBe(false);
    const device_group_id = uuid();
    running.groups.add(device_group_id);
    await running.call(pipelines.targetListDeviceGroup.create, {
      ...{ project_id: PROJECT, pipeline_id: pipeline.id, target_list_id: groups.id, id: uuid() },
      definition: { device_group_id },
      by: ADA,
    });
    expect(await running.isValid(pipeline.id)).toBe(true);
    expect((await list(PROJECT, { name: pipeline.name, limit: 1000 })).results).toContainEqual(
      expect.objectContaining({ id: pipeline.id, is_valid: true }),
    );
  });
});

describe('the delete of a pipeline', () => {
  it('given all that may belong to it, then nothing of it is left, and nothing of another goes', async () => {
    const [gone, kept] = [await running.whole(), await running.whole()];
    const { id } = gone.pipeline;
    const key = { project_id: PROJECT, pipeline_id: id, target_list_id: gone.list.id };
    await running.addAll(key, running.planner.nodes(2_100));
    expect(await remove(id)).toMatchObject({ id, is_valid: true });
    await expect(remove(id)).rejects.toEqual(NOT_FOUND);
    await expect(running.call(pipelines.target.get, { ...key, id: gone.target.id })).rejects.toEqual(NOT_FOUND);

    const removal = running.planner.service.get(TargetRemoval);
    while (await removal.step());
    const tables = ['stage', 'target_list', 'target', 'operation_list', 'pipeline_operation'];
    const count = async (sql: string) => (await running.planner.service.query<{ n: number }>(sql))[0]!.n;
    for (const table of tables) {
      const rows = `SELECT count(*)::integer AS n FROM ${table} WHERE pipeline_id`;
      expect([table, await count(`${rows} = '${id}'`)]).toEqual([table, 0]);
      expect([table, await count(`${rows} = '${kept.pipeline.id}'`)]).toEqual([table, 1]);
    }
    expect(
      await count(`SELECT count(*)::integer AS n FROM stage_target_list WHERE stage_id = '${gone.stage.id}'`),
    ).toBe(0);
    expect(await count('SELECT count(*)::integer AS n FROM target_removal')).toBe(0);
    expect(await running.isValid(kept.pipeline.id)).toBe(true);
  });

  it('given creates at the same time, then each comes before it or is told that it is gone', async () => {
    for (let round = 0; round < 5; round++) {
      const { id } = await running.pipeline();
      const [deleted, ...stages] = await Promise.allSettled([
        remove(id),
        ...Array.from({ length: 6 }, () => running.stage(id)),
      ]);
      expect(deleted.status).toBe('fulfilled');
      for (const one of stages) if (one.status === 'rejected') expect(one.reason).toEqual(NOT_FOUND);
      const left = await running.planner.service.query(`SELECT FROM stage WHERE pipeline_id = $1`, [id]);
      expect(left).toEqual([]);
    }
  });
});

describe('what is of another project or of another pipeline', () => {
  it('given its id, then it is not there for any question, and nothing changes', async () => {
    const [own, other] = [await running.whole(), await running.whole()];
    const page = { limit: 20, offset: 0 };
    const by = ADA;
    const refused: [RpcContract, object][] = [];
    for (const [project_id, pipeline_id, at] of [
      ['elsewhere', own.pipeline.id, own],
      [PROJECT, own.pipeline.id, other],
    ] as const) {
      const ofPipeline = { project_id, pipeline_id };
      const ofList = { ...ofPipeline, target_list_id: at.list.id };
      refused.push(
        [pipelines.stage.get, { ...ofPipeline, id: at.stage.id }],
        [pipelines.stage.change, { ...ofPipeline, id: at.stage.id, change: { name: 'x' }, by }],
        [pipelines.stage.delete, { ...ofPipeline, id: at.stage.id }],
        [pipelines.targetList.get, { ...ofPipeline, id: at.list.id }],
        [pipelines.targetList.change, { ...ofPipeline, id: at.list.id, change: { name: 'x' }, by }],
        [pipelines.targetList.delete, { ...ofPipeline, id: at.list.id }],
        [pipelines.target.list, { ...ofList, ...page }],
        [pipelines.target.create, { ...ofList, id: uuid(), definition: { device_id: at.target.device_id }, by }],
        [pipelines.target.addAll, { ...ofList, device_ids: [at.target.device_id], by }],
        [pipelines.target.get, { ...ofList, id: at.target.id }],
        [pipelines.target.change, { ...ofList, id: at.target.id, change: { is_active: false }, by }],
        [pipelines.target.delete, { ...ofList, id: at.target.id }],
        [pipelines.targetListDeviceGroup.list, { ...ofList, ...page }],
        [
          pipelines.targetListDeviceGroup.create,
          { ...ofList, id: uuid(), definition: { device_group_id: uuid() }, by },
        ],
        [pipelines.targetListDeviceGroup.delete, { ...ofList, id: uuid() }],
        // The target list of another pipeline, or in another project the stage.
        [pipelines.stageTargetList.link, { project_id, stage_id: own.stage.id, target_list_id: at.list.id }],
        [pipelines.operationList.get, { project_id, stage_id: own.stage.id, id: at.operations.id }],
        [pipelines.operationList.change, { project_id, stage_id: own.stage.id, id: at.operations.id, change: {}, by }],
        [pipelines.operationList.delete, { project_id, stage_id: own.stage.id, id: at.operations.id }],
        [pipelines.operation.get, { project_id, operation_list_id: own.operations.id, id: at.operation.id }],
        [pipelines.operation.delete, { project_id, operation_list_id: own.operations.id, id: at.operation.id }],
        [
          pipelines.operation.change,
          { project_id, operation_list_id: own.operations.id, id: at.operation.id, change: {}, by },
        ],
      );
    }
    const elsewhere = { project_id: 'elsewhere' };
    refused.push(
      [contracts.get, { ...elsewhere, id: own.pipeline.id }],
      [contracts.change, { ...elsewhere, id: own.pipeline.id, change: { name: 'x' }, by }],
      [contracts.delete, { ...elsewhere, id: own.pipeline.id }],
      [pipelines.stage.list, { ...elsewhere, pipeline_id: own.pipeline.id, ...page }],
      [
        pipelines.stage.create,
        { ...elsewhere, pipeline_id: own.pipeline.id, id: uuid(), definition: { name: 'x' }, by },
      ],
      [pipelines.targetList.list, { ...elsewhere, pipeline_id: own.pipeline.id, ...page }],
      [pipelines.stageTargetList.list, { ...elsewhere, stage_id: own.stage.id, ...page }],
      [pipelines.stageTargetList.unlink, { ...elsewhere, stage_id: own.stage.id, target_list_id: own.list.id }],
      [pipelines.operationList.list, { ...elsewhere, stage_id: own.stage.id, ...page }],
      [
        pipelines.operationList.create,
        { ...elsewhere, stage_id: own.stage.id, id: uuid(), definition: { name: 'x' }, by },
      ],
      [pipelines.operation.list, { ...elsewhere, operation_list_id: own.operations.id, ...page }],
      [
        pipelines.operation.create,
        { ...elsewhere, operation_list_id: own.operations.id, id: uuid(), definition: { operation_type: 'X' }, by },
      ],
    );
    for (const [contract, request] of refused)
      await expect(running.call(contract, request as never), contract.method).rejects.toEqual(NOT_FOUND);
    expect((await list('elsewhere')).count).toBe(0);
    for (const { pipeline } of [own, other]) expect(await running.isValid(pipeline.id)).toBe(true);
  });
});
