import { pipelineRuns, pipelines, type NewStage, type RolloutPlan } from '@muster/contracts';
import { v7 as uuid } from 'uuid';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { ADA, NOT_FOUND, refusalOf, RunningPipelines } from '../testing/running-pipelines.js';
import { PROJECT, USER, type RunningPlanner } from '../testing/running-planner.js';

let running: RunningPipelines;
let planner: RunningPlanner;

beforeAll(async () => {
  running = await RunningPipelines.start();
  ({ planner } = running);
});
afterAll(() => planner.service.stop());

interface Key {
  pipeline_id: string;
  stage_id: string;
}

/** A pipeline of one stage with these operations, and yet without a device. */
async function stageOf(definition: Omit<NewStage, 'name'>, operations: readonly string[]): Promise<Key> {
  const { id: pipeline_id } = await running.pipeline();
  const { id: stage_id } = await running.stage(pipeline_id, { name: 'a stage', ...definition });
  const { id: list } = await running.operationList(stage_id);
  for (const operation of operations) await running.operation(list, operation);
  return { pipeline_id, stage_id };
}

/** A list of the stage with these devices. */
async function listed({ pipeline_id, stage_id }: Key, devices: string[]): Promise<string> {
  const { id: target_list_id } = await running.list(pipeline_id);
  await running.addAll({ project_id: PROJECT, pipeline_id, target_list_id }, devices);
  await running.link(stage_id, target_list_id);
  return target_list_id;
}

/** A list of the stage with one group for each of these lists of devices. */
async function grouped({ pipeline_id, stage_id }: Key, groups: string[][]): Promise<void> {
  const { id: target_list_id } = await running.list(pipeline_id, 'GROUPS');
  for (const members of groups) {
    const device_group_id = uuid();
    planner.groups.set(device_group_id, members);
    const key = { project_id: PROJECT, pipeline_id, target_list_id, id: uuid() };
    await running.call(pipelines.targetListDeviceGroup.create, { ...key, definition: { device_group_id }, by: ADA });
  }
  await running.link(stage_id, target_list_id);
}

const plan = (key: Key, project_id = PROJECT): Promise<RolloutPlan> =>
  running.call(pipelineRuns.planStage, { project_id, ...key });

/** Starts a run. @returns its only stage run and the operations of it, once all devices have been planned. */
async function started({ pipeline_id }: Key): Promise<{ id: string; operations: string[] }> {
  const run = { project_id: PROJECT, pipeline_id, id: uuid(), by: ADA, actor_id: USER };
  await running.call(pipelineRuns.startRun, run);
  const page = { project_id: PROJECT, limit: 100, offset: 0 };
  const stages = await running.call(pipelineRuns.listStageRuns, { ...page, pipeline_run_id: run.id });
  const { id } = stages.results[0]!;
  const found = await running.call(pipelineRuns.listStageRunOperations, { ...page, stage_run_id: id });
  await vi.waitUntil(
    async () => (await planner.service.query(`SELECT FROM rollout WHERE id = $1 AND planned`, [id])).length > 0,
  );
  return { id, operations: found.results.map((operation) => operation.id) };
}

/** How many devices each wave of a rollout has. */
const wavesOf = async (id: string): Promise<number[]> => {
  const [row] = await planner.service.query<{ waves: { from: number; to: number }[] }>(
    `SELECT waves FROM rollout WHERE id = $1`,
    [id],
  );
  return row!.waves.map(({ from, to }) => to - from);
};

describe('the plan of a stage', () => {
  it('given lists and groups that have devices in common, then each device counts once, as in the run that follows', async () => {
    const devices = planner.nodes(40);
    const [gone] = planner.nodes(1);
    planner.tagged.set('canary', [devices[3]!, devices[12]!, devices[35]!]);
    const key = await stageOf(
      {
        rollout: {
          waves: [{ query: { tags: 'canary' }, success_threshold: 100, approval: true }, { percent: 25 }, {}],
          max_in_flight: 4,
          abort: [{ count: 2, action: 'cancel' }],
        },
      },
      ['DOWNLOAD', 'INSTALL'],
    );
    const list = await listed(key, [...devices.slice(0, 20), gone!]);
    await listed(key, devices.slice(10, 30));
    await grouped(key, [devices.slice(5, 15), devices.slice(25, 35)]);
    await grouped(key, [devices.slice(30, 40)]);
    planner.devices.splice(planner.devices.indexOf(gone!), 1);
    const first = { project_id: PROJECT, pipeline_id: key.pipeline_id, target_list_id: list };
    // One that is nowhere else, and one that another list has.
    const named = { ...first, device_ids: [devices[0]!, devices[11]!], limit: 2, offset: 0 };
    for (const { id } of (await running.call(pipelines.target.list, named)).results)
      await running.call(pipelines.target.change, { ...first, id, change: { is_active: false }, by: ADA });
    const tables = () =>
      planner.service.query(
        `SELECT (SELECT count(*) FROM rollout), (SELECT count(*) FROM pipeline_run), (SELECT count(*) FROM stage_run),
           (SELECT count(*) FROM stage_device), (SELECT count(*) FROM target_run), (SELECT count(*) FROM journal)`,
      );

    const before = await tables();
    const answer = await plan(key);
    expect(await tables()).toEqual(before);

    expect(answer.targets).toMatchObject({ count: 39, offline: 0, left_out: [] });
    expect(answer.waves).toEqual([
      { number: 1, devices: 3, success_threshold: 100, soak_seconds: 0, approval: true },
      { number: 2, devices: 10, success_threshold: null, soak_seconds: 0, approval: false },
      { number: 3, devices: 26, success_threshold: null, soak_seconds: 0, approval: false },
    ]);
    expect(answer.exposure).toEqual([
      { wave: 1, rule: 1, devices: 3, wrong: 3 },
      { wave: 2, rule: 1, devices: 8, wrong: 5 },
      { wave: 3, rule: 1, devices: 18, wrong: 5 },
    ]);
    const sample = answer.targets.sample.map(({ device_id }) => device_id);
    expect(new Set(sample).size).toBe(20);
    expect(sample).not.toContain(devices[0]);

    const { id } = await started(key);
    expect(await wavesOf(id)).toEqual(answer.waves.map((wave) => wave.devices));
  });

  it('given more devices than a page has, and a group of all of them, then all are counted once', async () => {
    const devices = planner.nodes(1_100);
    const key = await stageOf({}, ['REBOOT']);
    await listed(key, devices);
    await grouped(key, [devices]);
    expect((await plan(key)).targets.count).toBe(1_100);
  });

  it('given that a run of it is under way, then that is in its way', async () => {
    const devices = planner.nodes(5);
    planner.offline.add(devices[0]!);
    const key = await stageOf({ rollout: { priority: 3, max_in_flight: 1 } }, ['REBOOT']);
    await listed(key, devices);
    expect((await plan(key)).conflicts).toEqual([]);
    const { id } = await started(key);
    const answer = await plan(key);
    expect(answer.conflicts).toEqual([{ entity: 'stage-run', id, priority: 3, devices: 5 }]);
    expect(answer.targets).toMatchObject({ count: 5, offline: 1 });
  });

  it('given that its operations were never run in that order, then no duration is told; after they were, then a range', async () => {
    const devices = planner.nodes(3);
    const [key, turned, single] = [
      await stageOf({}, ['FETCH', 'APPLY']),
      await stageOf({}, ['APPLY', 'FETCH']),
      await stageOf({}, ['APPLY']),
    ];
    for (const one of [key, turned, single]) await listed(one, devices);
    expect((await plan(key)).duration).toBeNull();
    const { operations } = await started(key);
    for (const operation of operations) await planner.answer(operation, await planner.askedFor(operation, 3));
    await expect.poll(async () => (await plan(key)).duration).not.toBeNull();
    const { duration } = await plan(key);
    expect(duration!.most_seconds).toBeGreaterThan(0);
    expect(duration!.most_seconds).toBeGreaterThanOrEqual(duration!.least_seconds);
    for (const other of [turned, single]) expect((await plan(other)).duration).toBeNull();
  });

  it('given less time than its devices may be away, then it takes no longer; and where that is over before it begins, it never does', async () => {
    const devices = planner.nodes(2);
    const first = await stageOf({}, ['REBIND']);
    await listed(first, devices);
    const { operations } = await started(first);
    await planner.answer(operations[0]!, await planner.askedFor(operations[0]!, 2));
    await expect.poll(async () => (await plan(first)).duration).not.toBeNull();
    planner.offline.add(devices[0]!);
    const week = 604_800;
    expect((await plan(first)).duration!.most_seconds).toBeGreaterThanOrEqual(week);
    const hasty = await stageOf({ timeout_seconds: 6 }, ['REBIND']);
    await listed(hasty, devices);
    expect((await plan(hasty)).duration!.most_seconds).toBeLessThanOrEqual(6);
    const start_at = new Date(Date.now() + 3_600_000).toISOString();
    const late = await stageOf({ timeout_seconds: 6, rollout: { start_at } }, ['REBIND']);
    await listed(late, devices);
    expect(await plan(late)).toMatchObject({ begins_at: null, duration: null });
  });

  it('given a stage whose run would be invalid, then the refusal names what it lacks, in the words of the run', async () => {
    const idle = await stageOf({}, []);
    await listed(idle, planner.nodes(1));
    await expect(plan(idle)).rejects.toEqual(refusalOf('operations', 'the stage has no operation'));
    const unlinked = await stageOf({}, ['REBOOT']);
    await expect(plan(unlinked)).rejects.toEqual(refusalOf('targets', 'no device to work on'));
    const empty = await stageOf({ rollout: { waves: [{ percent: 10 }, {}] } }, ['REBOOT']);
    await listed(empty, []);
    await grouped(empty, [[]]);
    await expect(plan(empty)).rejects.toEqual(refusalOf('targets', 'no device to work on'));
  });

  it('given a group that is gone, then the refusal names what of the stage names it', async () => {
    const [member] = planner.nodes(1);
    const lost = await stageOf({}, ['REBOOT']);
    await grouped(lost, [[member!], [member!]]);
    const [, gone] = [...planner.groups.keys()].slice(-2);
    planner.groups.delete(gone!);
    await expect(plan(lost)).rejects.toEqual(refusalOf('targets', `no group ${gone}`));
    const canaries = uuid();
    planner.groups.set(canaries, []);
    const staged = await stageOf({ rollout: { waves: [{ query: { group: canaries } }, {}] } }, ['REBOOT']);
    await listed(staged, planner.nodes(1));
    planner.groups.delete(canaries);
    await expect(plan(staged)).rejects.toEqual(refusalOf('rollout.waves.0.query.group', `no group ${canaries}`));
  });

  it('given a stage of another pipeline or project, or none, then it is not found', async () => {
    const key = await stageOf({}, ['REBOOT']);
    await listed(key, planner.nodes(1));
    const { id: other } = await running.pipeline();
    await expect(plan({ ...key, pipeline_id: other })).rejects.toEqual(NOT_FOUND);
    await expect(plan({ ...key, stage_id: uuid() })).rejects.toEqual(NOT_FOUND);
    await expect(plan(key, 'other')).rejects.toEqual(NOT_FOUND);
  });
});
