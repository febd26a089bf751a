import { BATCH_SIZE, type Approval } from '@muster/contracts';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { approvalOf, decide } from '../testing/approvals-of-test.js';
import { RunningPlanner } from '../testing/running-planner.js';

let planner: RunningPlanner;

beforeAll(async () => {
  planner = await RunningPlanner.start();
});
afterAll(() => planner.service.stop());

const reject = ({ id }: Approval) => decide(planner, id, 'reject', { comment: 'not on a Friday' });

describe('an approval of a job that is paused', () => {
  it('given that it is rejected, then the job is cancelled as any other, and says why', async () => {
    const id = await planner.create(planner.nodes(3), { rollout: { waves: [{ count: 1 }, { approval: true }] } });
    await planner.answer(id, await planner.askedFor(id, 1));
    const approval = await approvalOf(planner, id);
    await planner.act(id, 'pause');
    await planner.reached(id, 'Stopped');
    await reject(approval);
    await expect.poll(async () => (await planner.job(id)).reason).toBe('wave 2 was not approved: not on a Friday');
    expect(await planner.reached(id, 'Stopped')).toMatchObject({ progress: { succeeded: 1, cancelled: 2 } });
    await vi.waitUntil(() => planner.service.statesOf(id).length === 6);
    expect(planner.service.statesOf(id).slice(-2)).toEqual(['Stopping', 'Stopped']);
  });

  it('given that it is rejected while devices come to their end, then the job says so at once', async () => {
    const waves = [{ count: 2, success_threshold: 50 }, { approval: true }];
    const id = await planner.create(planner.nodes(3), { rollout: { waves } });
    const [first, second] = await planner.askedFor(id, 2);
    await planner.answer(id, [first!]);
    const approval = await approvalOf(planner, id);
    expect(await planner.act(id, 'pause')).toMatchObject({ status: 'Stopping' });
    await reject(approval);
    expect(await planner.job(id)).toMatchObject({
      status: 'Stopping',
      reason: 'wave 2 was not approved: not on a Friday',
    });
    await planner.answer(id, [second!], 'CANCELLED');
    await planner.reached(id, 'Stopped');
  });
});

describe('an approval of the only wave', () => {
  it('given more devices than are planned at once, then none begins before somebody has approved', async () => {
    const nodes = planner.nodes(BATCH_SIZE + 1);
    const id = await planner.create(nodes, { rollout: { waves: [{ approval: true }] } });
    const approval = await approvalOf(planner, id);
    expect((await planner.job(id)).progress).toMatchObject({ targeted: nodes.length, pending: nodes.length });
    expect(planner.asked(id)).toEqual([]);
    await decide(planner, approval.id, 'approve');
    await planner.answer(id, await planner.askedFor(id, nodes.length));
    await planner.reached(id, 'Successful');
  });
});
