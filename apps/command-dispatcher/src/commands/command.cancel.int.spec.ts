import { v7 as uuid } from 'uuid';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { newItem, RunningDispatcher } from '../testing/running-dispatcher.js';
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

describe('a cancel of what waits', () => {
  it('given commands in the queue and one that waits for its window, then they end, and what comes after them is sent in its turn', async () => {
    const [device, away] = [dispatcher.device(), dispatcher.device(false)];
    const [running] = (await dispatcher.request([device])) as [string];
    await dispatcher.sentTo(device, 1);
    const [queued, offline] = (await dispatcher.request([device, away])) as [string, string];
    const args = { start_datetime: new Date(Date.now() + 60_000).toISOString() };
    const schedule = { schedule: 'WINDOW' as const, args, console_timezone: 'UTC' };
    const [scheduled] = (await dispatcher.request([device], { terms: { schedule } })) as [string];
    await dispatcher.reached(scheduled, 'SCHEDULED');
    for (const id of [queued, offline]) await dispatcher.reached(id, 'QUEUED');
    await dispatcher.cancel([queued, offline, scheduled], { waiting_only: true });
    for (const id of [queued, offline, scheduled]) {
      await dispatcher.reached(id, 'CANCELLED');
      expect(await dispatcher.outcome(id)).toEqual(['CANCELLED']);
    }
    const [next] = (await dispatcher.request([device])) as [string];
    dispatcher.status(device, { command_id: running, status: 'success' });
    expect((await dispatcher.sentTo(device, 2))[1]).toMatchObject({ command_id: next });
  });

  it('given one in flight and one that waits for a further attempt, then nothing is told of them and they go on; of one that has ended the outcome is told again', async () => {
    const [device, failing, done] = [dispatcher.device(), dispatcher.device(), dispatcher.device()];
    const [running, ended] = (await dispatcher.request([device, done])) as [string, string];
    const terms = { retry: [{ outcome: 'failed' as const, max: 1, backoff_seconds: 3 }] };
    const [again] = (await dispatcher.request([failing], { terms })) as [string];
    for (const one of [device, failing, done]) await dispatcher.sentTo(one, 1);
    dispatcher.status(failing, { command_id: again, status: 'failure' });
    dispatcher.status(done, { command_id: ended, status: 'success' });
    await dispatcher.reached(again, 'SCHEDULED');
    await dispatcher.outcome(ended);
    await dispatcher.cancel([running, again, ended], { waiting_only: true });
    await vi.waitUntil(() => dispatcher.outcomesOf(ended).length === 2);
    expect(dispatcher.outcomesOf(ended)).toEqual(['SUCCESS', 'SUCCESS']);
    expect([...dispatcher.outcomesOf(running), ...dispatcher.outcomesOf(again)]).toEqual([]);
    expect(dispatcher.cancels.filter(({ command_id }) => command_id === running)).toEqual([]);
    expect((await dispatcher.command(running)).state).toBe('INITIATED');
    const [, second] = await dispatcher.sentTo(failing, 2);
    dispatcher.status(failing, { command_id: again, fence: second!.fence, status: 'success' });
    dispatcher.status(device, { command_id: running, status: 'success' });
    for (const id of [running, again]) expect(await dispatcher.outcome(id)).toEqual(['SUCCESS']);
  });

  it('given one that is not known, then it is cancelled, also when its request comes later', async () => {
    const [item, request_id] = [newItem(dispatcher.device()), uuid()];
    await dispatcher.cancel([item.command_id], { request_id, refs: [item.ref], waiting_only: true });
    expect(await dispatcher.outcome(item.command_id)).toEqual(['CANCELLED']);
    await dispatcher.ask([item], { request_id });
    expect(await dispatcher.reached(item.command_id, 'CANCELLED')).toMatchObject({ attempt: 0 });
  });
});
