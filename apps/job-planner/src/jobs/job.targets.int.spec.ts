import { jobPlanner } from '@muster/contracts';
import { v7 as uuid } from 'uuid';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { RolloutsOfTest } from '../testing/rollouts-of-test.js';
import { PROJECT, RunningPlanner } from '../testing/running-planner.js';

let planner: RunningPlanner;
let rollouts: RolloutsOfTest;

beforeAll(async () => {
  planner = await RunningPlanner.start();
  rollouts = new RolloutsOfTest(planner);
});
afterAll(() => planner.service.stop());

describe('targets', () => {
  it('given a group, then each of its devices has a task, and the document shows the group', async () => {
    const nodes = planner.nodes(3);
    const group = uuid();
    planner.groups.set(group, nodes);
    const id = await planner.create([], {
      job_content: { target_type: 'node_group', targets: [group], task_data: '{}' },
    });
    await planner.answer(id, await planner.askedFor(id, 3));
    const job = await planner.reached(id, 'Successful');
    expect(job.targets).toEqual([
      { target_id: group, extension_info: [{ key: 'node_group_name', value: `group-${group.slice(-4)}` }] },
    ]);
    expect(job.tasks.map((task) => task.target_id).sort()).toEqual(nodes.sort());
  });

  it('given deployments, then each is upgraded on its device by its own id', async () => {
    const [node] = planner.nodes(1);
    const made = Array.from({ length: 2 }, () => ({
      id: uuid(),
      name: 'site',
      version: '1',
      device_id: node!,
      device_name: 'node-a',
      timezone: 'UTC',
      args: { image: 'site:1' },
    }));
    planner.deployments.push(...made);
    const job = {
      job_type: 'deployment_upgrade' as const,
      job_content: {
        target_type: 'deployment' as const,
        targets: made.map(({ id }) => id),
        task_data: '{"image":"site:2"}',
      },
    };
    const id = await planner.create([], { ...job, rollout: { abort: [{ count: 1, action: 'rollback' }] } });
    const items = await planner.askedFor(id, 2);
    expect(items.map((item) => [item.device_id, item.args])).toEqual(
      made
        .map((one) => one.id)
        .sort()
        .map((deployment_id) => [node, { deployment_id }]),
    );
    await planner.answer(id, items.slice(0, 1));
    await planner.answer(id, items.slice(1), 'FAILURE');
    await vi.waitUntil(async () => (await planner.job(id)).rollback_job_id !== null);
    const shown = await planner.job(id);
    expect(shown.targets[0]!.extension_info).toEqual([
      { key: 'deployment_name', value: 'site' },
      { key: 'node_name', value: 'node-a' },
    ]);
    const back = await planner.askedFor(shown.rollback_job_id!, 2);
    expect(back[0]!.args).toMatchObject({
      deployment_id: items[0]!.args['deployment_id'],
      upgrade: { image: 'site:1', version: '1' },
      version: '1',
    });
  });

  it.each([
    ['node_upgrade', 'deployment', 'job_content.target_type: must be node for node_upgrade'],
    ['deployment_upgrade', 'node', 'job_content.target_type: must be deployment for deployment_upgrade'],
    ['deployment_deploy', 'deployment', 'job_content.target_type: must be node or node_group for deployment_deploy'],
  ] as const)('given a %s of a %s, then it is refused with the field', async (job_type, target_type, message) => {
    const job_content = { target_type, targets: [uuid()], task_data: '{}' };
    await expect(planner.create([], { job_type, job_content })).rejects.toThrow(message);
  });

  it('given a group or a deployment that is not there, then it is named', async () => {
    const id = uuid();
    const group = { target_type: 'node_group' as const, targets: [id], task_data: '{}' };
    await expect(planner.create([], { job_content: group })).rejects.toThrow(`no such node_group: ${id}`);
    const deployment = { target_type: 'deployment' as const, targets: [id], task_data: '{}' };
    await expect(planner.create([], { job_type: 'deployment_upgrade', job_content: deployment })).rejects.toThrow(
      `no such deployment: ${id}`,
    );
  });

  it('given a rollout that cannot be, then its field is named', async () => {
    await expect(rollouts.start(1, { waves: [{ percent: 10 }] })).rejects.toThrow('rollout.waves.0.percent');
    await expect(rollouts.start(1, { membership: 'continuous' })).rejects.toThrow('rollout.membership');
  });

  it('given a wave of a group that is not there, then its field is named, however the targets are told, also by a plan', async () => {
    const nodes = planner.nodes(2);
    const group = uuid();
    planner.groups.set(group, nodes);
    const rollout = { waves: [{ count: 1 }, { query: { and: [{ group: uuid() }] } }, {}] };
    const field = 'rollout.waves.1.query.and.0.group';
    const named = { kind: 'invalid', details: { errors: [{ field }] } };
    for (const told of [
      { target_type: 'node' as const, targets: nodes },
      { target_type: 'node' as const, target_query: { group } },
      { target_type: 'node_group' as const, targets: [group] },
    ]) {
      const job = { job_content: { ...told, task_data: '{}' }, rollout };
      await expect(planner.create([], job)).rejects.toMatchObject(named);
      const planned = { job_name: 'aaa', job_type: 'deployment_deploy' as const, ...job };
      const request = { project_id: PROJECT, job: planned };
      await expect(planner.service.call(jobPlanner.planJob, request)).rejects.toMatchObject(named);
    }
  });
});
