import { jobWork, operationRollouts, operationRolloutWork } from '@muster/contracts';
import { v7 as uuid } from 'uuid';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { PROJECT, RunningPlanner, USER } from '../testing/running-planner.js';
import { FINISHED_OPERATION_ROLLOUTS, OperationPartRetention } from './operation-part.retention.js';

const DAY_MS = 86_400_000;

let planner: RunningPlanner;

beforeAll(async () => {
  planner = await RunningPlanner.start();
});
afterAll(() => planner.service.stop());

const clean = async (days: number) => {
  while (await planner.service.get(OperationPartRetention).step(Date.now() + days * DAY_MS));
};

const parts = async (id: string) =>
  (
    await planner.service.query<{ n: number }>(
      `SELECT count(*)::integer AS n FROM operation_part WHERE operation_id = $1`,
      [id],
    )
  )[0]!.n;

describe('the parts of rollouts of operations, whose history is kept 30 days', () => {
  it('given one that has ended and one that goes on, then after 30 days those of the first go, and its progress stays', async () => {
    const requests = planner.service.hear(operationRolloutWork.request);
    const list = [1, 2].map(() => ({ id: uuid(), device_id: uuid(), timezone: 'UTC' }));
    planner.service.answer(operationRollouts.listOperationParts, ({ id }) => ({
      parts: id === old ? list : list.map((part) => ({ ...part, id: uuid() })),
      next: null,
    }));
    await planner.service.connection.flush();
    const start = (id: string) =>
      planner.service.call(operationRollouts.startOperationRollout, {
        ...{ project_id: PROJECT, id, operation: 'REBOOT', requested_by: USER, rollout: {} },
      });
    const old = uuid();
    const going = uuid();
    await start(old);
    await start(going);
    const asked = () => requests.filter((batch) => batch.head.request_id === old).flatMap((batch) => batch.items);
    await vi.waitUntil(() => asked().length === 2);
    const items = asked().map(({ command_id, ref }) => {
      return { command_id, ref, status: 'SUCCESS' as const, reason: '', code: '', sent: true };
    });
    await planner.service.ask(jobWork.outcome, { project_id: PROJECT, head: { request_id: old }, items });
    const progress = async () =>
      (await planner.service.call(operationRollouts.operationProgress, { project_id: PROJECT, id: old })).progress;
    await expect.poll(progress).toMatchObject({ succeeded: 2, waiting_for: null });
    const before = await progress();
    await expect.poll(() => parts(going)).toBe(2);

    await clean(29.9);
    expect(await parts(old)).toBe(2);
    await clean(30.1);
    expect([await parts(old), await parts(going)]).toEqual([0, 2]);
    expect(await progress()).toEqual({ ...before, rate_per_second: 0 });
  });

  it('given rollouts that are due, then they are found by their index', async () => {
    await planner.service.query(`SET enable_seqscan = off`);
    const plan = await planner.service.query<{ 'QUERY PLAN': string }>(
      `EXPLAIN SELECT project_id, id FROM rollout WHERE ${FINISHED_OPERATION_ROLLOUTS} AND rested_at < now() ORDER BY rested_at LIMIT 100`,
    );
    await planner.service.query(`RESET enable_seqscan`);
    expect(plan.map((row) => row['QUERY PLAN']).join('\n')).toContain('Index Scan using rollout_finished');
  });
});
