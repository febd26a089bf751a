import { v7 as uuid } from 'uuid';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { RunningDispatcher } from '../testing/running-dispatcher.js';
import { CommandSweep } from './command.sweep.js';

let dispatcher: RunningDispatcher;

beforeAll(async () => {
  dispatcher = await RunningDispatcher.start();
});
afterAll(() => dispatcher.service.stop());

describe('cancel', () => {
  it('given a cancel that comes before its request, then the asker hears so at once and no device ever gets the command', async () => {
    const [device, request_id] = [dispatcher.device(), uuid()];
    const item = { command_id: uuid(), device_id: device, ref: uuid(), args: {} };
    await dispatcher.cancel([item.command_id], { request_id, refs: [item.ref] });
    expect(await dispatcher.outcome(item.command_id)).toEqual(['CANCELLED']);
    await dispatcher.ask([item], { request_id });
    expect(await dispatcher.reached(item.command_id, 'CANCELLED')).toMatchObject({
      reason: 'no longer wanted',
      attempt: 0,
    });
    const [next] = (await dispatcher.request([device])) as [string];
    expect(await dispatcher.sentTo(device, 1)).toMatchObject([{ command_id: next }]);
  });

  it('given requests and their cancels at the same moment, then whatever order they take, none runs on uncancelled', async () => {
    for (let round = 0; round < 5; round++) {
      const request_id = uuid();
      const items = Array.from({ length: 100 }, () => ({
        command_id: uuid(),
        device_id: dispatcher.device(),
        ref: uuid(),
        args: {},
      }));
      await Promise.all([
        dispatcher.ask(items, { request_id }),
        dispatcher.cancel(
          items.map((item) => item.command_id),
          { request_id, refs: items.map((item) => item.ref) },
        ),
      ]);
      await vi.waitUntil(
        async () => {
          const rows = await dispatcher.service.query<{ n: string }>(
            `SELECT count(*) AS n FROM command WHERE request_id = $1 AND (state = 'CANCELLED' OR cancel_requested)`,
            [request_id],
          );
          return rows[0]!.n === '100';
        },
        { timeout: 15_000 },
      );
    }
  });

  it('given a device that says hello while its command is being cancelled, then it hears of the cancel and not of the command', async () => {
    const device = dispatcher.device();
    const [id] = (await dispatcher.request([device])) as [string];
    await dispatcher.sentTo(device, 1);
    const heard = () => dispatcher.cancels.filter((message) => message.command_id === id).length;
    await dispatcher.cancel([id]);
    await vi.waitUntil(() => heard() === 1);
    await dispatcher.presence(device, true);
    await vi.waitUntil(() => heard() === 2);
    expect(dispatcher.sent.filter((message) => message.device_id === device)).toHaveLength(1);
  });

  it('given a command that has ended, then its outcome is told again', async () => {
    const device = dispatcher.device();
    const [id] = (await dispatcher.request([device])) as [string];
    await dispatcher.sentTo(device, 1);
    dispatcher.status(device, { command_id: id, status: 'success' });
    await dispatcher.outcome(id);
    await dispatcher.cancel([id]);
    await vi.waitUntil(() => dispatcher.outcomesOf(id).length === 2);
    expect(dispatcher.outcomesOf(id)).toEqual(['SUCCESS', 'SUCCESS']);
  });

  it('given a command that waits and one that is in flight, then the first ends at once and the other by the device’s word', async () => {
    const device = dispatcher.device();
    const [running] = (await dispatcher.request([device])) as [string];
    await dispatcher.sentTo(device, 1);
    const [waiting] = (await dispatcher.request([device])) as [string];
    await dispatcher.reached(waiting, 'QUEUED');
    await dispatcher.cancel([running, waiting]);
    expect(await dispatcher.reached(waiting, 'CANCELLED')).toMatchObject({ reason: 'no longer wanted' });
    await vi.waitUntil(() =>
      dispatcher.cancels.some((message) => message.command_id === running && message.fence === 1),
    );
    dispatcher.status(device, { command_id: running, status: 'failure', code: 'cancelled' });
    await dispatcher.reached(running, 'CANCELLED');
    expect(await dispatcher.outcome(running)).toEqual(['CANCELLED']);
  });

  it('given a device that succeeds all the same, then that is what is recorded', async () => {
    const device = dispatcher.device();
    const [id] = (await dispatcher.request([device])) as [string];
    await dispatcher.sentTo(device, 1);
    await dispatcher.cancel([id]);
    await vi.waitUntil(() => dispatcher.cancels.some((message) => message.command_id === id));
    dispatcher.status(device, { command_id: id, status: 'success' });
    await dispatcher.reached(id, 'SUCCESS');
  });

  it('given a device that says cancelled without having been asked, then that is a failure', async () => {
    const device = dispatcher.device();
    const [id] = (await dispatcher.request([device])) as [string];
    await dispatcher.sentTo(device, 1);
    dispatcher.status(device, { command_id: id, status: 'failure', code: 'cancelled' });
    await dispatcher.reached(id, 'FAILURE');
  });

  it('given a device that does not answer the cancel, then the command is cancelled after the grace', async () => {
    const device = dispatcher.device();
    const [id] = (await dispatcher.request([device])) as [string];
    await dispatcher.sentTo(device, 1);
    await dispatcher.cancel([id]);
    await vi.waitUntil(() => dispatcher.cancels.some((message) => message.command_id === id));
    await dispatcher.service.query(`UPDATE command SET deadline = now(), due_at = now() WHERE id = $1`, [id]);
    await dispatcher.service.get(CommandSweep).step();
    expect(await dispatcher.reached(id, 'CANCELLED')).toMatchObject({ reason: 'cancelled; the device did not answer' });
  });
});
