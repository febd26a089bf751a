import { deviceState, operations } from '@muster/contracts';
import { v7 as uuid } from 'uuid';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { PlannerOfTest } from '../testing/planner-of-test.js';
import { PROJECT, RunningOperations } from '../testing/running-operations.js';

let running: RunningOperations;
let planner: PlannerOfTest;

beforeAll(async () => {
  running = await RunningOperations.start();
  planner = new PlannerOfTest(running);
  await running.state.service.connection.flush();
});
afterAll(() => running.stop());

/** A device that is to be at version 2 and reports 1. */
async function behind(): Promise<string> {
  const [device] = await running.devices(1, { desired: { v: 2 } });
  running.report(device!, { v: 1 });
  await running.until(
    () => running.state.device(PROJECT, device!),
    (now) => now.reported['v'] === 1,
  );
  return device!;
}

describe('another try of a CONVERGE', () => {
  it('given that something else is desired by then, then it is asked for that, and what was shown before proves nothing', async () => {
    const device = await behind();
    const id = await planner.rollOut([device], { operation: 'CONVERGE' });
    const [first] = await planner.begin(id);
    expect(first!.args).toEqual({ desired: { v: 2 } });
    running.report(device, { v: 2 });
    await running.until(
      () => running.state.device(PROJECT, device),
      (now) => now.reported['v'] === 2,
    );
    await running.answer(id, [first!], 'FAILURE', 'exit_1');
    await planner.toldOf(id, first!);
    await running.state.call(deviceState.patchDevice, {
      project_id: PROJECT,
      id: device,
      patch: { desired: { v: 3 } },
    });
    const again = { ...first!, command_id: uuid(), turn: 2 };
    await planner.request(id, [again]);
    const [second] = await planner.askedFor(id, [again]);
    expect(second!.args).toEqual({ desired: { v: 3 } });
    await running.answer(id, [second!]);
    await running.partReached(id, device, 'COMPLETED');
    expect(planner.told(id).map(({ status }) => status)).toEqual(['FAILURE']);
    running.report(device, { v: 3 });
    expect(await planner.toldOf(id, again)).toMatchObject({ status: 'SUCCESS' });
  });
});

describe('the turn of a device that a service works on', () => {
  it('given its word before the turn, then nothing is asked of the device, and the service says how it ends', async () => {
    const device = await behind();
    const id = await planner.rollOut([device]);
    const items = await planner.turns(id);
    const report = (state: 'PROCESSING' | 'SUCCESS') =>
      running.state.call(operations.reportDeviceOperation, {
        project_id: PROJECT,
        operation_id: id,
        device_id: device,
        report: { operation_type: 'REBOOT', state, service_id: 'technician', reason: '' },
      });
    await report('PROCESSING');
    await planner.request(id, items);
    await report('SUCCESS');
    expect(await planner.endedOf(id, items[0]!)).toMatchObject({ end: 'succeeded', reason: 'technician' });
    await planner.over(id);
    await running.reached(id, 'SUCCESS');
    expect(running.asked(id)).toEqual([]);
    await running.exact(id);
  });
});

it('given evidence for a CONVERGE, which its report proves, then it is refused', async () => {
  const device = await behind();
  const rollout = { evidence: { path: 'boot_id', equals: 'x' } };
  await expect(running.create([device], { operation: 'CONVERGE', rollout })).rejects.toMatchObject({
    kind: 'invalid',
    details: {
      errors: [{ field: 'rollout.evidence', message: 'a CONVERGE is proven by the report of what it changed' }],
    },
  });
});
