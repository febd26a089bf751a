import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { RunningPlanner } from '../testing/running-planner.js';

let planner: RunningPlanner;

beforeAll(async () => {
  planner = await RunningPlanner.start();
});
afterAll(() => planner.service.stop());

// Seed 003, field by field.
const TASK_DATA =
  '{"deployment":{"replicas":1,"template":{"configs":{"host_network":false,"restart_policy":"Always","host_pid":false},' +
  '"containers":[{"name":"container-06fefd36","version":"latest","image_url":"sample:latest","envs":[],"volumes":[],' +
  '"resources":{"limits":{"cpu":"0.25","memory":"512"},"requests":{"cpu":"0.25","memory":"512"}},"privileged":false,"ports":[]}]}},' +
  '"source":"userdefined","name_prex":"aaa","tags":[],"description":""}';
const JOB = {
  job_name: 'aaa',
  job_id: '66273c66-f72e-4607-8769-3663d255fb83',
  job_type: 'deployment_deploy',
  target_type: 'node',
  description: '',
  targets: [
    { target_id: '72eb5df1-295b-41f6-baed-d1a56728b0e0', extension_info: [{ key: 'node_name', value: 'test1' }] },
    { target_id: 'b1c0e722-ee98-4ae3-9224-881224cb32c9', extension_info: [{ key: 'node_name', value: 'test2' }] },
  ],
  task_data: TASK_DATA,
  status: 'Successful',
  created_at: 1667218308,
  status_last_updated_at: 1667218329,
  tasks: [
    {
      task_name: 'aaa-c530d',
      task_id: '382cca3e-88e6-4a7c-bf23-b637a99761f9',
      target_id: '72eb5df1-295b-41f6-baed-d1a56728b0e0',
      status: 'Successful',
      created_at: 1667218324,
      reason: '',
      extension_info: [{ key: 'deployment_id', value: '9bdefd92-c724-41f4-b07a-4b1061e096d6' }],
    },
    {
      task_name: 'aaa-ce854',
      task_id: 'ac04605b-c286-4f23-97e0-fe08366c36f5',
      target_id: 'b1c0e722-ee98-4ae3-9224-881224cb32c9',
      status: 'Successful',
      created_at: 1667218325,
      reason: '',
      extension_info: [{ key: 'deployment_id', value: '4b4c7b0c-7ee8-4a7e-b79e-9291b7fd365d' }],
    },
  ],
  task_total_count: 2,
  task_failed_count: 2,
  task_success_count: 0,
};

/** What is made anew each time, by what kind of thing it is; names get their random part taken off. */
const kindOf = (value: unknown): unknown => {
  if (Array.isArray(value)) return value.map(kindOf);
  if (typeof value === 'object' && value !== null)
    return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, kindOf(inner)]));
  if (typeof value === 'string' && /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(value)) return 'an id';
  if (typeof value === 'string' && /^aaa-[0-9a-f]{5}$/.test(value)) return 'a task name';
  return typeof value === 'number' && value > 1_600_000_000 && value < 10_000_000_000 ? 'epoch seconds' : value;
};

describe('the document of seed 003', () => {
  it('given the job that the seed shows, once it has ended, then it is that document, but for the counts that the seed swaps', async () => {
    const nodes = planner.nodes(2);
    for (const [index, node] of nodes.entries()) planner.names.set(node, `test${index + 1}`);
    const id = await planner.create(nodes, {
      job_name: 'aaa',
      description: '',
      job_content: { target_type: 'node', targets: nodes, task_data: TASK_DATA },
    });
    await planner.answer(id, await planner.askedFor(id, 2));
    const job = await planner.reached(id, 'Successful');
    const { reason, tags, rollout, progress, rollback_of, rollback_job_id, ...documented } = job;
    expect(kindOf(documented)).toEqual(kindOf({ ...JOB, task_failed_count: 0, task_success_count: 2 }));
    expect(documented.tasks.map((task) => task.target_id)).toEqual(
      documented.targets.map((target) => target.target_id),
    );
    const ours = { reason, tags, rollout, rollback_of, rollback_job_id };
    expect(ours).toEqual({ reason: '', tags: [], rollout: {}, rollback_of: null, rollback_job_id: null });
    expect(progress).toEqual({
      targeted: 2,
      pending: 0,
      in_flight: 0,
      succeeded: 2,
      failed: 0,
      timed_out: 0,
      rejected: 0,
      cancelled: 0,
      unknown: 0,
      offline: 0,
      percent: 100,
      rate_per_second: 0,
      eta: null,
      wave: null,
      waiting_for: null,
    });
  });
});

describe('the reason of a job', () => {
  it('given devices that did not succeed, though none failed, then it is how many; that they are to be tried again takes it back', async () => {
    const skipped = await planner.create(planner.nodes(2), { rollout: { offline: 'skip' } });
    await planner.step(skipped, await planner.askedFor(skipped, 2), 'HELD');
    expect((await planner.reached(skipped, 'Failed')).reason).toBe('2 of 2 devices did not succeed');
    await planner.act(skipped, 'retry');
    expect((await planner.reached(skipped, 'Running')).reason).toBe('');
    const again = (await planner.askedFor(skipped, 4)).slice(2);
    await planner.answer(skipped, again.slice(0, 1));
    await planner.answer(skipped, again.slice(1), 'FAILURE', 'no space');
    expect((await planner.reached(skipped, 'Partially_successful')).reason).toBe('1 of 2 devices did not succeed');
  });

  it('given one that drains after a pause, when it is cancelled, then it says so before it stands still', async () => {
    const id = await planner.create(planner.nodes(2));
    const items = await planner.askedFor(id, 2);
    await planner.act(id, 'pause');
    expect(await planner.job(id)).toMatchObject({ status: 'Stopping', reason: 'paused' });
    await planner.act(id, 'cancel');
    expect(await planner.job(id)).toMatchObject({ status: 'Stopping', reason: 'cancelled' });
    await planner.answer(id, items, 'CANCELLED');
    expect((await planner.reached(id, 'Stopped')).reason).toBe('cancelled');
  });
});
