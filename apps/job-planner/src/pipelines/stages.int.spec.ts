import { MAX_STAGES, pipelines, type StageChange, type TargetList } from '@muster/contracts';
import { v7 as uuid } from 'uuid';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ADA, BOB, NOT_FOUND, refusalOf, RunningPipelines } from '../testing/running-pipelines.js';
import { PROJECT } from '../testing/running-planner.js';

const { stage: contracts, stageTargetList: links } = pipelines;

let running: RunningPipelines;

beforeAll(async () => {
  running = await RunningPipelines.start();
});
afterAll(() => running.planner.service.stop());

const change = (pipeline_id: string, id: string, what: StageChange) =>
  running.call(contracts.change, { project_id: PROJECT, pipeline_id, id, change: what, by: BOB });
const remove = (pipeline_id: string, id: string) =>
  running.call(contracts.delete, { project_id: PROJECT, pipeline_id, id });
const orderOf = async (pipeline: string) =>
  (await running.stages(pipeline)).map(({ name, order }) => `${order} ${name}`);

async function pipelineOf(names: readonly string[]) {
  const { id } = await running.pipeline();
  const stages = new Map<string, string>();
  for (const name of names) stages.set(name, (await running.stage(id, { name })).id);
  return { id, idOf: (name: string) => stages.get(name)! };
}

describe('a stage', () => {
  it('given a name alone, then the rest is what the interface promises', async () => {
    const { id: pipeline_id } = await running.pipeline();
    const made = await running.stage(pipeline_id, { name: 'Canary' });
    expect(made).toEqual({
      id: made.id,
      pipeline_id,
      name: 'Canary',
      description: '',
      timeout_seconds: 604_800,
      order: 1,
      promotion: 'auto',
      on_failure: 'stop',
      rollout: {},
      created_by: ADA,
      updated_by: ADA,
      created_at: expect.any(String) as string,
      updated_at: made.created_at,
    });
    const rollout = { max_in_flight: 5, timeout: { offline_seconds: 60 } };
    const changed = await change(pipeline_id, made.id, { rollout, promotion: 'manual', on_failure: 'continue' });
    const { updated_at } = changed;
    expect(changed).toEqual({
      ...made,
      rollout,
      promotion: 'manual',
      on_failure: 'continue',
      updated_by: BOB,
      updated_at,
    });
    expect(await running.stages(pipeline_id)).toEqual([changed]);
  });

  it('given the same create again, then it answers the same stage, also when there is no room for another', async () => {
    const { id } = await running.pipeline();
    const stageId = uuid();
    const first = await running.stage(id, { name: 'once' }, stageId);
    for (let more = 1; more < MAX_STAGES; more++) await running.stage(id);
    await expect(running.stage(id)).rejects.toEqual(refusalOf('stages', `a pipeline has at most ${MAX_STAGES}`));
    expect(await running.stage(id, { name: 'once' }, stageId)).toEqual(first);
    expect(await running.stages(id)).toHaveLength(MAX_STAGES);
  });

  it('given a wave of a group that is not there, then its field is named; once it was, the same create answers the same stage', async () => {
    const { id } = await running.pipeline();
    const [stageId, group] = [uuid(), uuid()];
    const definition = { name: 'canaries', rollout: { waves: [{ query: { group } }, {}] } };
    const refusal = refusalOf('rollout.waves.0.query.group', `no group ${group}`);
    await expect(running.stage(id, definition, stageId)).rejects.toEqual(refusal);
    running.groups.add(group);
    const made = await running.stage(id, definition, stageId);
    running.planner.groups.delete(group);
    expect(await running.stage(id, definition, stageId)).toEqual(made);
    await expect(change(id, stageId, { rollout: definition.rollout })).rejects.toEqual(refusal);
    expect(await running.stages(id)).toEqual([made]);
  });
});

describe('the order of stages', () => {
  it('given creates at the same time, then each has a place of its own, without gaps, and none is beyond the limit', async () => {
    const { id } = await running.pipeline();
    const made = await Promise.allSettled(Array.from({ length: MAX_STAGES + 8 }, () => running.stage(id)));
    expect(made.filter(({ status }) => status === 'rejected')).toHaveLength(8);
    const orders = (await running.stages(id)).map(({ order }) => order);
    expect(orders).toEqual(Array.from({ length: MAX_STAGES }, (_, at) => at + 1));
  });

  it.each([
    ['d', 1, ['1 d', '2 a', '3 b', '4 c', '5 e']],
    ['b', 4, ['1 a', '2 c', '3 d', '4 b', '5 e']],
    ['a', 5, ['1 b', '2 c', '3 d', '4 e', '5 a']],
    ['c', 3, ['1 a', '2 b', '3 c', '4 d', '5 e']],
  ] as const)('given %s moved to %i, then the others make room', async (name, order, expected) => {
    const { id, idOf } = await pipelineOf(['a', 'b', 'c', 'd', 'e']);
    expect(await change(id, idOf(name), { order })).toMatchObject({ name, order });
    expect(await orderOf(id)).toEqual(expected);
  });

  it('given a place behind the last, then it is refused and nothing moves', async () => {
    const { id, idOf } = await pipelineOf(['a', 'b']);
    await expect(change(id, idOf('a'), { order: 3, name: 'x' })).rejects.toEqual(
      refusalOf('order', 'the pipeline has 2 stages'),
    );
    expect(await orderOf(id)).toEqual(['1 a', '2 b']);
  });

  it('given a delete, then those behind it come nearer', async () => {
    const { id, idOf } = await pipelineOf(['a', 'b', 'c']);
    expect(await remove(id, idOf('b'))).toMatchObject({ name: 'b', order: 2 });
    await expect(remove(id, idOf('b'))).rejects.toEqual(NOT_FOUND);
    expect(await orderOf(id)).toEqual(['1 a', '2 c']);
    expect(await running.stage(id, { name: 'd' })).toMatchObject({ order: 3 });
  });

  it('given moves, deletes and creates at the same time, then the places are without gaps', async () => {
    const names = Array.from({ length: 12 }, (_, at) => `s${at}`);
    const { id, idOf } = await pipelineOf(names);
    const asked = await Promise.allSettled([
      ...names.slice(0, 6).map((name, at) => change(id, idOf(name), { order: 9 - at })),
      ...names.slice(8).map((name) => remove(id, idOf(name))),
      ...[1, 2, 3].map(() => running.stage(id)),
    ]);
    for (const one of asked) if (one.status === 'rejected') expect(one.reason).toEqual(refusalOf('order'));
    const stages = await running.stages(id);
    expect(stages.map(({ order }) => order)).toEqual(Array.from({ length: 11 }, (_, at) => at + 1));
  });
});

describe('the target lists of a stage', () => {
  const linked = async (stage_id: string, type?: TargetList['target_list_type']) => {
    const filter = type && { target_list_type: type };
    return (await running.call(links.list, { project_id: PROJECT, stage_id, ...filter, limit: 20, offset: 0 })).results;
  };

  it('given a link, then the stage has the list; the same again changes nothing; an unlink leaves the list alone', async () => {
    const { id: pipeline_id } = await running.pipeline();
    const [stage, list] = [await running.stage(pipeline_id), await running.list(pipeline_id)];
    expect(await running.link(stage.id, list.id)).toEqual(list);
    expect(await running.link(stage.id, list.id)).toEqual(list);
    expect(await linked(stage.id)).toEqual([list]);
    const key = { project_id: PROJECT, stage_id: stage.id, target_list_id: list.id };
    expect(await running.call(links.unlink, key)).toEqual(list);
    await expect(running.call(links.unlink, key)).rejects.toEqual(NOT_FOUND);
    expect(await linked(stage.id)).toEqual([]);
    const which = { project_id: PROJECT, pipeline_id, id: list.id };
    expect(await running.call(pipelines.targetList.get, which)).toEqual(list);
  });

  it('given a list or a stage that is deleted while it is in use, then the link goes with it', async () => {
    const { id: pipeline_id } = await running.pipeline();
    const [one, other] = [await running.stage(pipeline_id), await running.stage(pipeline_id)];
    const [list, kept] = [await running.list(pipeline_id), await running.list(pipeline_id, 'GROUPS')];
    for (const stage of [one, other]) for (const used of [list, kept]) await running.link(stage.id, used.id);
    expect(await linked(one.id, 'GROUPS')).toEqual([kept]);
    expect(await linked(one.id, 'DEVICES')).toEqual([list]);
    await running.call(pipelines.targetList.delete, { project_id: PROJECT, pipeline_id, id: list.id });
    expect(await linked(one.id)).toEqual([kept]);
    await remove(pipeline_id, one.id);
    expect(await linked(other.id)).toEqual([kept]);
    await expect(linked(one.id)).rejects.toEqual(NOT_FOUND);
  });
});
