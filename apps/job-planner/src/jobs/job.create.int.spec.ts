import { jobPlanner, type NewJob } from '@muster/contracts';
import { v7 as uuid } from 'uuid';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { PROJECT, RunningPlanner, USER } from '../testing/running-planner.js';

let planner: RunningPlanner;

beforeAll(async () => {
  planner = await RunningPlanner.start();
});
afterAll(() => planner.service.stop());

describe('a create that is wrong', () => {
  const refused = async (job: Partial<NewJob>, targets: string[] = planner.nodes(1)) => {
    const before = await planner.service.query(`SELECT id FROM job ORDER BY id`);
    const error: unknown = await planner.create(targets, job).then(
      () => undefined,
      (reason: unknown) => reason,
    );
    expect(await planner.service.query(`SELECT id FROM job ORDER BY id`)).toEqual(before);
    return error as Error & { kind: string };
  };
  const content = { target_type: 'node' as const, task_data: '{}' };

  it('given devices that do not exist, then all of them are named', async () => {
    const [known, foreign, unknown] = [planner.nodes(1)[0]!, uuid(), uuid()];
    const error = await refused({}, [known, foreign, unknown]);
    expect(error).toMatchObject({
      kind: 'invalid',
      message: `job_content.targets: no such node: ${foreign}, ${unknown}`,
    });
  });

  it('given neither targets nor a query, or both, then the field is named', async () => {
    expect((await refused({ job_content: content })).message).toContain('job_content.targets');
    expect(
      (await refused({ job_content: { ...content, targets: planner.nodes(1), target_query: { online: true } } }))
        .message,
    ).toContain('job_content.targets');
  });

  it('given a query that matches nothing, then it says so', async () => {
    const fresh = { ...content, target_query: { ids: [uuid()] } };
    expect((await refused({ job_content: fresh })).message).toBe('job_content.target_query: matches no device');
  });

  it('given a target that is named twice, then it says which', async () => {
    const [node] = planner.nodes(1) as [string];
    expect((await refused({}, [node, node])).message).toBe(`job_content.targets: named twice: ${node}`);
  });

  it.each([
    ['a NUL', '"\\u0000"', 'contains U+0000 or half of a surrogate pair'],
    ['half of a surrogate pair', '{"a":"\\ud800"}', 'contains U+0000 or half of a surrogate pair'],
    ['5,000 levels', '['.repeat(5_000) + ']'.repeat(5_000), 'nests deeper than 64 levels'],
    ['half an object', '{', 'is not JSON'],
    ['a number', '5', 'must be a JSON object for deployment_deploy'],
    ['a list', '[]', 'must be a JSON object for deployment_deploy'],
    ['null', 'null', 'must be a JSON object for deployment_deploy'],
    ['a text', '"5.0"', 'must be a JSON object for deployment_deploy'],
  ])('given task_data that holds %s, then it is refused at once', async (_what, task_data, why) => {
    const error = await refused({ job_content: { target_type: 'node', targets: planner.nodes(1), task_data } });
    expect(error.message).toBe(`job_content.task_data: ${why}`);
  });

  it('given an upgrade whose task_data is no object, then it is a job: what a node makes of it is its own affair', async () => {
    const content = { target_type: 'node' as const, targets: planner.nodes(1), task_data: '"5.0"' };
    const id = await planner.create([], { job_type: 'node_upgrade', job_content: content });
    await planner.answer(id, await planner.askedFor(id, 1));
    await planner.reached(id, 'Successful');
    await planner.service.call(jobPlanner.deleteJob, { project_id: PROJECT, job_id: id });
  });

  it('given no task_data for a deployment, then the field is named', async () => {
    const targets = planner.nodes(1);
    expect((await refused({ job_content: { target_type: 'node', targets } })).message).toBe(
      'job_content.task_data: is required for deployment_deploy',
    );
  });

  it('given a create that is asked again after its targets are gone, then it gives the job that is there', async () => {
    const nodes = planner.nodes(1);
    const id = await planner.create(nodes);
    planner.devices.splice(planner.devices.indexOf(nodes[0]!), 1);
    const job = {
      job_name: 'aaa',
      job_type: 'deployment_deploy' as const,
      job_content: { ...content, targets: nodes },
    };
    const again = await planner.service.call(jobPlanner.createJob, {
      project_id: PROJECT,
      job_id: id,
      created_by: USER,
      job,
    });
    expect(again.job_id).toBe(id);
  });

  it('given the same id twice, then there is one job', async () => {
    const job_id = uuid();
    const request = {
      project_id: PROJECT,
      job_id,
      created_by: USER,
      job: {
        job_name: 'twice',
        job_type: 'node_upgrade' as const,
        job_content: { target_type: 'node' as const, targets: planner.nodes(1) },
      },
    };
    const answers = await Promise.all([
      planner.service.call(jobPlanner.createJob, request),
      planner.service.call(jobPlanner.createJob, request),
    ]);
    expect(answers[0]).toEqual(answers[1]);
    await planner.answer(job_id, await planner.askedFor(job_id, 1));
    expect((await planner.reached(job_id, 'Successful')).task_total_count).toBe(1);
  });
});
