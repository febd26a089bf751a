import { jobPlanner, pipelines, type GroupUse, type NewJob } from '@muster/contracts';
import { v7 as uuid } from 'uuid';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ADA, RunningPipelines } from '../testing/running-pipelines.js';
import { PROJECT } from '../testing/running-planner.js';
import { runsOf } from '../testing/runs-of-test.js';

let running: RunningPipelines;

beforeAll(async () => {
  running = await RunningPipelines.start();
});
afterAll(() => running.planner.service.stop());

const { pipelineOf, startRun, setRun, stageRuns, reached } = runsOf(() => running);

const group = () => {
  const id = uuid();
  running.groups.add(id);
  return id;
};

const useOf = async (id: string, project_id = PROJECT): Promise<GroupUse | null> =>
  (await running.call(jobPlanner.useOfGroup, { project_id, id })).use;

const job = (rollout: NonNullable<NewJob['rollout']>, target: Pick<NewJob['job_content'], 'target_query'>) =>
  running.planner.create([], { job_content: { target_type: 'node', task_data: '{}', ...target }, rollout });

const endless = () => ({
  membership: 'continuous' as const,
  end_at: new Date(Date.now() + 3_600_000).toISOString(),
});

describe('what names a group of devices', () => {
  it('given a target list with it, then that does, until it is taken from the list', async () => {
    const id = group();
    const { id: pipeline_id } = await running.pipeline();
    const list = await running.list(pipeline_id, 'GROUPS');
    expect(await useOf(id)).toBeNull();
    const key = { project_id: PROJECT, pipeline_id, target_list_id: list.id, id: uuid() };
    await running.call(pipelines.targetListDeviceGroup.create, {
      ...key,
      definition: { device_group_id: id },
      by: ADA,
    });
    expect(await useOf(id)).toEqual({ entity: 'target-list', id: list.id, name: 'a list' });
    expect(await useOf(id, 'other')).toBeNull();
    await running.call(pipelines.targetListDeviceGroup.delete, key);
    expect(await useOf(id)).toBeNull();
  });

  it('given a stage with a wave of its devices, in whichever case, then that does', async () => {
    const id = group();
    const { id: pipeline_id } = await running.pipeline();
    running.groups.add(id.toUpperCase());
    const waves = [{ query: { not: { or: [{ group: id.toUpperCase() }] } } }, {}];
    const stage = await running.stage(pipeline_id, { name: 'shops', rollout: { waves } });
    expect(await useOf(id)).toEqual({ entity: 'stage', id: stage.id, name: 'shops' });
  });

  it('given a run with such a stage that has yet to begin, then its part in the run does, though the stage is deleted meanwhile', async () => {
    const id = group();
    const waves = [{ query: { group: id } }, {}];
    const stages = [{ name: 'first' }, { name: 'shops', rollout: { waves } }];
    const pipeline_id = await pipelineOf(stages, running.planner.nodes(1));
    const run = await startRun(pipeline_id);
    await reached(run, 'running');
    const [, shops] = await running.stages(pipeline_id);
    await running.call(pipelines.stage.delete, { project_id: PROJECT, pipeline_id, id: shops!.id });
    const [, second] = await stageRuns(run);
    expect(await useOf(id)).toEqual({ entity: 'stage-run', id: second!.id, name: '' });
    await setRun(run, 'cancelled');
  });

  it('given a job whose devices join later, then that does, until it has ended', async () => {
    const [byQuery, byWave, other] = [group(), group(), group()];
    const jobs = [
      await job(endless(), { target_query: { group: byQuery } }),
      await job({ ...endless(), waves: [{ query: { group: byWave } }, {}] }, { target_query: { tags: 'kiosk' } }),
    ];
    for (const [at, id] of [byQuery, byWave].entries())
      expect(await useOf(id)).toEqual({ entity: 'job', id: jobs[at], name: 'aaa' });
    expect(await useOf(other)).toBeNull();
    for (const id of jobs) {
      await running.planner.act(id, 'cancel');
      await running.planner.reached(id, 'Stopped');
    }
    for (const id of [byQuery, byWave]) expect(await useOf(id)).toBeNull();
  });

  it('given a job that has found all of its devices, then it needs the group no more', async () => {
    const id = group();
    const start_at = new Date(Date.now() + 3_600_000).toISOString();
    const made = await job({ start_at }, { target_query: { or: [{ group: id }, { ids: running.planner.nodes(1) }] } });
    await running.planner.progressed(made, { targeted: 1 });
    await expect.poll(() => useOf(id)).toBeNull();
  });
});
