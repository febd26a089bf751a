import { operationWork, type CommandRequest, type WorkBatch } from '@muster/contracts';
import { Tx } from '@muster/journal';
import { v7 as uuid } from 'uuid';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { PresenceCheck } from '../lanes/presence.check.js';
import { newItem, PROJECT, RunningDispatcher } from '../testing/running-dispatcher.js';
import { CommandAccept } from './command.accept.js';

let dispatcher: RunningDispatcher;
let steps: WorkBatch<typeof operationWork.step>[];

beforeAll(async () => {
  dispatcher = await RunningDispatcher.start();
  steps = dispatcher.service.hear(operationWork.step);
  await dispatcher.service.connection.flush();
});
afterAll(() => dispatcher.service.stop());

/** That it waits in the queue says nothing of whether it is held. */
const stepsOf = (id: string) =>
  steps.flatMap((batch) =>
    batch.items.filter((item) => item.command_id === id && item.step !== 'QUEUED').map((item) => item.step),
  );
const toldSteps = (id: string, told: string[]) => expect.poll(() => stepsOf(id)).toEqual(told);
const sentOf = (id: string) => dispatcher.sent.filter((message) => message.command_id === id);

/** A request whose commands are held while their devices are offline. */
function holding(more: Partial<CommandRequest> = {}) {
  const settings = {
    request_id: uuid(),
    terms: { holds_to: operationWork.step.subject, steps_to: operationWork.step.subject, ...more },
  };
  return { settings, ask: (...items: ReturnType<typeof newItem>[]) => dispatcher.ask(items, settings) };
}

const accept = (items: ReturnType<typeof newItem>[], terms: Partial<CommandRequest>) =>
  dispatcher.service.get(CommandAccept).accept(
    PROJECT,
    {
      request_id: uuid(),
      command: 'ping',
      args: {},
      in_progress_seconds: 60,
      offline_seconds: 60,
      priority: 0,
      reply_to: '',
      ...terms,
    },
    items,
  );

describe('a command whose asker hears of its steps', () => {
  it('given that it waits behind another, then its asker hears that it is queued, and of the other only that it was sent', async () => {
    const device = dispatcher.device();
    const [first, second] = [newItem(device), newItem(device)];
    const { ask } = holding();
    await ask(first);
    await dispatcher.sentTo(device, 1);
    await ask(second);
    const told = () => steps.flatMap(({ items }) => items).filter(({ command_id }) => command_id === second.command_id);
    await expect.poll(() => told().map(({ step }) => step)).toEqual(['QUEUED']);
    await toldSteps(first.command_id, ['INITIATED']);
    const ofFirst = steps.flatMap(({ items }) => items).filter(({ command_id }) => command_id === first.command_id);
    expect(ofFirst.map(({ step }) => step)).toEqual(['INITIATED']);
  });
});

describe('a command that is to be held while its device is offline', () => {
  it('given an online device, then it is sent at once as any other', async () => {
    const item = newItem(dispatcher.device());
    await holding().ask(item);
    await dispatcher.sentTo(item.device_id, 1);
    await toldSteps(item.command_id, ['INITIATED']);
  });

  it('given an offline device, then it is held and told so, and goes when it is asked for again with its device back, no sooner', async () => {
    const item = newItem(dispatcher.device(false));
    const { ask } = holding();
    await ask(item);
    await toldSteps(item.command_id, ['HELD']);
    expect(await dispatcher.command(item.command_id)).toMatchObject({ state: 'QUEUED', waits_for: 'offline' });
    await ask(item);
    await toldSteps(item.command_id, ['HELD', 'HELD']);
    await dispatcher.presence(item.device_id, true);
    await toldSteps(item.command_id, ['HELD', 'HELD', 'REACHABLE']);
    await dispatcher.presence(item.device_id, true);
    await toldSteps(item.command_id, ['HELD', 'HELD', 'REACHABLE', 'REACHABLE']);
    expect(await dispatcher.command(item.command_id)).toMatchObject({ state: 'QUEUED', waits_for: 'offline' });
    expect(sentOf(item.command_id)).toEqual([]);
    await ask(item);
    const [message] = await dispatcher.sentTo(item.device_id, 1);
    expect(message).toMatchObject({ command_id: item.command_id, attempt: 1 });
    await toldSteps(item.command_id, ['HELD', 'HELD', 'REACHABLE', 'REACHABLE', 'INITIATED']);
    expect(dispatcher.service.statesOf(item.command_id).filter((state) => state === 'QUEUED')).toHaveLength(1);
  });

  it('given that it waits behind another when its device goes offline, then it is held; the one that was sent goes on', async () => {
    const device = dispatcher.device();
    const [running, waiting] = [newItem(device), newItem(device)];
    const { ask } = holding();
    await ask(running, waiting);
    await dispatcher.sentTo(device, 1);
    await dispatcher.presence(device, false);
    await toldSteps(waiting.command_id, ['HELD']);
    await dispatcher.presence(device, true);
    await toldSteps(waiting.command_id, ['HELD', 'REACHABLE']);
    dispatcher.status(device, { command_id: running.command_id, status: 'success' });
    await dispatcher.reached(running.command_id, 'SUCCESS');
    expect(sentOf(waiting.command_id)).toEqual([]);
    await ask(waiting);
    await vi.waitUntil(() => sentOf(waiting.command_id).length === 1);
    expect(stepsOf(running.command_id)).toEqual(['INITIATED']);
  });

  it('given that it is held, then it takes nobody’s place: others go at once, also of a lower priority', async () => {
    const device = dispatcher.device(false);
    const item = newItem(device);
    const { settings } = holding({ priority: 9 });
    await dispatcher.ask([item], settings);
    await toldSteps(item.command_id, ['HELD']);
    const [queued] = (await dispatcher.request([device])) as [string];
    await dispatcher.reached(queued, 'QUEUED');
    await dispatcher.presence(device, true);
    const [first] = await dispatcher.sentTo(device, 1);
    expect(first!.command_id).toBe(queued);
    dispatcher.status(device, { command_id: queued, status: 'success' });
    await dispatcher.reached(queued, 'SUCCESS');
    const [direct] = (await dispatcher.request([device])) as [string];
    expect((await dispatcher.sentTo(device, 2))[1]).toMatchObject({ command_id: direct });
    // It has its turn again, before those of a lower priority that came first.
    const [behind] = (await dispatcher.request([device])) as [string];
    await dispatcher.reached(behind, 'QUEUED');
    await dispatcher.ask([item], settings);
    await vi.waitUntil(async () => (await dispatcher.command(item.command_id)).waits_for === 'in_flight');
    dispatcher.status(device, { command_id: direct, fence: 2, status: 'success' });
    expect((await dispatcher.sentTo(device, 3))[2]).toMatchObject({ command_id: item.command_id });
  });

  it('given that it expires, or is cancelled, then it ends as others do', async () => {
    const device = dispatcher.device(false);
    const expiring = newItem(device, { expires_at: new Date(Date.now() + 1_000).toISOString() });
    const [cancelled, left] = [newItem(device), newItem(device)];
    await holding().ask(expiring, cancelled, left);
    await toldSteps(left.command_id, ['HELD']);
    await dispatcher.cancel([cancelled.command_id], { waiting_only: true });
    expect(await dispatcher.outcome(cancelled.command_id)).toEqual(['CANCELLED']);
    expect(await dispatcher.reached(expiring.command_id, 'TIMEOUT')).toMatchObject({ code: 'never_contacted' });
    await dispatcher.presence(device, true);
    await toldSteps(left.command_id, ['HELD', 'REACHABLE']);
    for (const { command_id } of [cancelled, expiring]) expect(stepsOf(command_id)).toEqual(['HELD']);
  });

  it('given one that was cancelled before it was asked for, then nobody hears that it is held', async () => {
    const item = newItem(dispatcher.device(false));
    const { ask, settings } = holding();
    await dispatcher.cancel([item.command_id], settings);
    await dispatcher.outcome(item.command_id);
    await ask(item, newItem(item.device_id));
    await dispatcher.reached(item.command_id, 'CANCELLED');
    await vi.waitUntil(() => steps.some((batch) => batch.head.request_id === settings.request_id));
    expect(stepsOf(item.command_id)).toEqual([]);
  });

  it('given that it waits for a further attempt when its device goes offline, then it is not held, and goes when the device is back', async () => {
    const item = newItem(dispatcher.device());
    await holding({ retry: [{ outcome: 'failed', max: 1, backoff_seconds: 3 }] }).ask(item);
    await dispatcher.sentTo(item.device_id, 1);
    dispatcher.status(item.device_id, { command_id: item.command_id, status: 'failure' });
    await dispatcher.reached(item.command_id, 'SCHEDULED');
    await dispatcher.presence(item.device_id, false);
    await dispatcher.reached(item.command_id, 'QUEUED');
    await dispatcher.presence(item.device_id, true);
    expect((await dispatcher.sentTo(item.device_id, 2))[1]).toMatchObject({ attempt: 2 });
    expect(stepsOf(item.command_id)).not.toContain('HELD');
  });

  it('given a window that opens while its device is offline, then it is held from then on', async () => {
    const item = newItem(dispatcher.device());
    const args = { start_datetime: new Date(Date.now() + 3_000).toISOString() };
    const { ask } = holding({ schedule: { schedule: 'WINDOW', args, console_timezone: 'UTC' } });
    await ask(item);
    await dispatcher.reached(item.command_id, 'SCHEDULED');
    await dispatcher.presence(item.device_id, false);
    await toldSteps(item.command_id, ['HELD']);
    expect((await dispatcher.command(item.command_id)).state).toBe('QUEUED');
    await dispatcher.presence(item.device_id, true);
    await toldSteps(item.command_id, ['HELD', 'REACHABLE']);
    await ask(item);
    await dispatcher.sentTo(item.device_id, 1);
  });

  it('given a device that is back while nobody said so, then it is asked about, and the command is told of', async () => {
    const item = newItem(dispatcher.device(false));
    await holding().ask(item);
    await toldSteps(item.command_id, ['HELD']);
    dispatcher.devices.set(item.device_id, { online: true, version: 2 });
    await dispatcher.service.query(`UPDATE lane SET checked_at = now() - interval '1 hour' WHERE device_id = $1`, [
      item.device_id,
    ]);
    await dispatcher.service.get(PresenceCheck).step();
    await toldSteps(item.command_id, ['HELD', 'REACHABLE']);
    expect(sentOf(item.command_id)).toEqual([]);
  });

  it('given a concurrent one, then it is held as well', async () => {
    const item = newItem(dispatcher.device(false));
    const { ask } = holding({ concurrent: true });
    await ask(item);
    await toldSteps(item.command_id, ['HELD']);
    await dispatcher.presence(item.device_id, true);
    await toldSteps(item.command_id, ['HELD', 'REACHABLE']);
    expect(sentOf(item.command_id)).toEqual([]);
    await ask(item);
    await vi.waitUntil(() => sentOf(item.command_id).length === 1);
  });

  it('given a word of presence that is older than what is known, then it holds nothing and tells nothing', async () => {
    const device = dispatcher.device();
    const [running, waiting] = [newItem(device), newItem(device)];
    await holding().ask(running, waiting);
    await dispatcher.sentTo(device, 1);
    dispatcher.devices.set(device, { online: true, version: 0 });
    await dispatcher.presence(device, false);
    dispatcher.status(device, { command_id: running.command_id, status: 'success' });
    await vi.waitUntil(() => sentOf(waiting.command_id).length === 1);
    await toldSteps(waiting.command_id, ['INITIATED']);
  });
});

describe('a held command that is asked for in turns', () => {
  it('given the same turn once more with its device back, then it stays held and says that its device is there; with the next turn it goes', async () => {
    const item = { ...newItem(dispatcher.device(false)), turn: 1 };
    const { ask } = holding();
    await ask(item);
    await toldSteps(item.command_id, ['HELD']);
    await dispatcher.presence(item.device_id, true);
    await toldSteps(item.command_id, ['HELD', 'REACHABLE']);
    await ask(item);
    await toldSteps(item.command_id, ['HELD', 'REACHABLE', 'HELD', 'REACHABLE']);
    expect(sentOf(item.command_id)).toEqual([]);
    await ask({ ...item, turn: 2 });
    await dispatcher.sentTo(item.device_id, 1);
  });

  it('given that it is held once more, then each word says under which turn', async () => {
    const device = dispatcher.device();
    const [running, item] = [newItem(device), { ...newItem(device), turn: 1 }];
    const { ask } = holding();
    await ask(running);
    await dispatcher.sentTo(device, 1);
    await ask(item);
    await dispatcher.presence(device, false);
    await toldSteps(item.command_id, ['HELD']);
    await dispatcher.presence(device, true);
    await toldSteps(item.command_id, ['HELD', 'REACHABLE']);
    await ask({ ...item, turn: 2 });
    await vi.waitUntil(async () => (await dispatcher.command(item.command_id)).waits_for === 'in_flight');
    await dispatcher.presence(device, false);
    await toldSteps(item.command_id, ['HELD', 'REACHABLE', 'HELD']);
    await ask({ ...item, turn: 3 });
    await toldSteps(item.command_id, ['HELD', 'REACHABLE', 'HELD', 'HELD']);
    await ask(item);
    await toldSteps(item.command_id, ['HELD', 'REACHABLE', 'HELD', 'HELD', 'HELD']);
    await dispatcher.presence(device, true);
    await toldSteps(item.command_id, ['HELD', 'REACHABLE', 'HELD', 'HELD', 'HELD', 'REACHABLE']);
    const told = steps.flatMap((batch) => batch.items.filter(({ command_id }) => command_id === item.command_id));
    expect(told.flatMap(({ turn }) => turn ?? [])).toEqual([1, 1, 2, 3, 3, 3]);
  });
});

describe('what it costs that commands may be held', () => {
  /** How many statements it takes to accept commands for these devices. */
  async function statements(devices: readonly string[], terms: Partial<CommandRequest> = {}): Promise<number> {
    const items = devices.map((device) => newItem(device));
    const query = vi.spyOn(Tx.prototype, 'query');
    await accept(items, terms);
    const { calls, contexts } = query.mock;
    const its = contexts[calls.findIndex(([, values]) => JSON.stringify(values).includes(items[0]!.command_id))];
    const count = contexts.filter((tx) => tx === its).length;
    query.mockRestore();
    return count;
  }
  const online = () => Array.from({ length: 3 }, () => dispatcher.device());

  it('given that all devices are online, then no statement more', async () => {
    const { holds_to, ...others } = holding().settings.terms;
    expect(await statements(online(), { ...others, holds_to: holds_to })).toBe(await statements(online(), others));
  });

  it('given a device of which one is held, then another one goes as directly as if there were none', async () => {
    const item = newItem(dispatcher.device(false));
    await holding().ask(item);
    await toldSteps(item.command_id, ['HELD']);
    await dispatcher.presence(item.device_id, true);
    await toldSteps(item.command_id, ['HELD', 'REACHABLE']);
    expect(await statements([item.device_id])).toBe(await statements([dispatcher.device()]));
  });
});
