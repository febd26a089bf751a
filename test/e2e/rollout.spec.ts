import type { Approval, Job, Rollout, WaitingEntry } from '@muster/contracts';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Stack, type Answer } from '../harness/stack.js';
import { until } from '../harness/until.js';
import { byEntity, readEvents } from './events.js';

const DEVICES = 60;
const APPROVALS = '/api/v1/approvals';
const JOBS = '/v2/demo/productmgr/jobs';

let stack: Stack;
let log: string;

beforeAll(async () => {
  stack = await Stack.start();
  log = join(stack.dataDir, 'executions.ndjson');
  await stack.fleet(['--count', String(DEVICES), '--prefix', 'wave', '--failure-rate', '0', '--executions', log]);
});
afterAll(() => stack.stop());

/** What somebody with a token of their own does. */
class Person {
  private constructor(
    readonly actor: string,
    private readonly token: string,
  ) {}

  static async withRole(role: string): Promise<Person> {
    const order = { name: `the ${role}`, role };
    const { body } = await stack.api<{ token: string; actor_id: string }>('POST', '/api/v1/tokens', order);
    return new Person(body.actor_id, body.token);
  }

  ask<Body>(method: string, path: string, body?: unknown): Promise<Answer<Body>> {
    return stack.api<Body>(method, path, body, { authorization: `Bearer ${this.token}` });
  }

  /** Rolls a change out over all devices; gives the id of the job. */
  async upgrades(rollout: Rollout): Promise<string> {
    const { status, body } = await this.ask<{ job_id: string }>('POST', JOBS, {
      job_name: 'staged',
      job_type: 'node_upgrade',
      job_content: { target_type: 'node', target_query: { name_prefix: 'wave' }, task_data: '{"version":"2.0"}' },
      rollout,
    });
    expect(status).toBe(201);
    return body.job_id;
  }

  decides(approval: Approval, decision: 'approve' | 'reject', comment = ''): Promise<Answer<Approval>> {
    return this.ask('POST', `${APPROVALS}/${approval.id}`, { decision, comment });
  }
}

/** The approval that a job waits for. */
const pending = (job: string): Promise<Approval> =>
  until(
    `an approval for job ${job}`,
    async () => {
      const { body } = await stack.api<{ approvals: Approval[] }>('GET', `${APPROVALS}?state=pending`);
      return body.approvals.find(({ subject }) => subject.id === job);
    },
    { timeout: 20_000 },
  );

const stateOf = async ({ id }: Approval) => (await stack.api<Approval>('GET', `${APPROVALS}/${id}`)).body.state;

/** On how many devices something was really run. */
const executed = async () => (await readFile(log, 'utf8')).trim().split('\n').filter(Boolean).length;

const waiting = async (entity: string, ids: readonly string[]) => {
  const path = `/api/v1/waiting?entity=${entity}&limit=1000`;
  const { body } = await stack.api<{ waiting: WaitingEntry[] }>('GET', path);
  return body.waiting.filter(({ id }) => ids.includes(id));
};

function expectSum({ progress }: Job): void {
  const { pending, in_flight, succeeded, failed, timed_out, rejected, cancelled, unknown, offline } = progress;
  const all = [pending, in_flight, succeeded, failed, timed_out, rejected, cancelled, unknown, offline];
  expect(all.reduce((sum, count) => sum + count)).toBe(progress.targeted);
}

describe('a change that goes out in waves', () => {
  it('given a wave that needs an approval, then nothing of it begins before an approver says so, and the counts add up all along', async () => {
    const [operator, approver] = [await Person.withRole('operator'), await Person.withRole('approver')];
    const id = await operator.upgrades({
      waves: [{ percent: 10, success_threshold: 100 }, { count: 14, approval: true }, {}],
      max_in_flight: 10,
    });
    const approval = await pending(id);
    expect(approval).toMatchObject({
      state: 'pending',
      subject: { entity: 'job', id, name: 'staged', wave: 2 },
      requested_by: operator.actor,
    });
    // What is decided is written before it is waited for.
    await expect.poll(async () => (await stack.job(id)).progress.waiting_for).toBe('approval');
    const held = await stack.job(id);
    expect(held).toMatchObject({
      status: 'Running',
      progress: { targeted: DEVICES, succeeded: 6, pending: 54, wave: { number: 2, of: 3 }, eta: null },
    });
    expectSum(held);
    expect(await waiting('job', [id])).toMatchObject([{ state: 'Running', waits_for: 'approval' }]);
    const tasks = await waiting(
      'job-task',
      held.tasks.map((task) => task.task_id),
    );
    expect(tasks.map(({ waits_for, due_at }) => [waits_for, due_at])).toEqual(Array(54).fill(['approval', null]));

    const refused = await operator.decides(approval, 'approve');
    expect(refused).toMatchObject({ status: 403, body: { detail: 'role operator may not do this' } });
    expect([await stateOf(approval), await executed()]).toEqual(['pending', 6]);

    const approved = await approver.decides(approval, 'approve', 'the first six are fine');
    expect(approved).toMatchObject({
      status: 200,
      body: { state: 'approved', decided_by: approver.actor, comment: 'the first six are fine' },
    });
    const seen: Job[] = [];
    await until(
      `job ${id} at its end`,
      async () => {
        seen.push(await stack.job(id));
        return seen.at(-1)!.status !== 'Running';
      },
      { timeout: 20_000, interval: 20 },
    );
    for (const job of seen) {
      expectSum(job);
      expect(job.progress.in_flight).toBeLessThanOrEqual(10);
    }
    expect(seen.at(-1)).toMatchObject({
      status: 'Successful',
      task_success_count: DEVICES,
      progress: { targeted: DEVICES, succeeded: DEVICES, pending: 0, in_flight: 0, percent: 100, waiting_for: null },
    });
    expect(await executed()).toBe(DEVICES);
    expect(await approver.decides(approval, 'reject')).toMatchObject({ status: 409 });

    const connection = await stack.events();
    const told = async () => byEntity(await readEvents(connection, 'muster.evt.demo.approval.>')).get(approval.id);
    await expect
      .poll(async () => (await told())?.map(({ data }) => [data.to, data['subject_id']]))
      .toEqual([
        ['pending', id],
        ['approved', id],
      ]);
  });

  it('given a project that wants four eyes, then an admin who asked may not decide, and another one may', async () => {
    const [asker, other] = [await Person.withRole('admin'), await Person.withRole('admin')];
    expect((await asker.ask('PATCH', '/api/v1/project', { four_eyes: true })).status).toBe(200);
    const before = await executed();
    const id = await asker.upgrades({ waves: [{ approval: true }] });
    const approval = await pending(id);
    const refused = await asker.decides(approval, 'approve');
    expect(refused.status).toBe(403);
    expect(refused.body).toMatchObject({
      detail: 'the project wants another person to decide than the one who asked',
    });
    expect([await stateOf(approval), await executed()]).toEqual(['pending', before]);

    expect(await other.decides(approval, 'approve')).toMatchObject({ status: 200, body: { decided_by: other.actor } });
    const job = await stack.reached(id, 'Successful');
    expectSum(job);
    expect(job.progress.succeeded).toBe(DEVICES);
  });

  it('given that the next wave is rejected, then the job is cancelled with what was said, and no further device is changed', async () => {
    const [operator, approver] = [await Person.withRole('operator'), await Person.withRole('approver')];
    const before = await executed();
    const id = await operator.upgrades({ waves: [{ count: 5 }, { approval: true }] });
    expect((await approver.decides(await pending(id), 'reject', 'not on a Friday')).status).toBe(200);
    const job = await stack.reached(id, 'Stopped');
    expectSum(job);
    expect(job).toMatchObject({
      reason: 'wave 2 was not approved: not on a Friday',
      progress: { succeeded: 5, cancelled: 55 },
    });
    expect(await executed()).toBe(before + 5);
  });
});
