import { commandDispatcher, deviceWork, jobWork, type CommandRequest, type NewCommandRequest } from '@muster/contracts';
import { v7 as uuid } from 'uuid';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { LockTake } from '../locks/lock.take.js';
import { PROJECT, RunningDispatcher } from '../testing/running-dispatcher.js';
import { StatusLag } from './status.lag.js';

let dispatcher: RunningDispatcher;

beforeAll(async () => {
  dispatcher = await RunningDispatcher.start();
});
afterAll(() => dispatcher.service.stop());

const sentOf = (id: string) => dispatcher.sent.filter((message) => message.command_id === id);
const lock = (owner: string, device_ids: string[], expires_in_seconds = 60) =>
  dispatcher.service.call(commandDispatcher.lockDevices, {
    project_id: PROJECT,
    owner,
    reason: 'update',
    expires_in_seconds,
    device_ids,
  });
const unlock = (owner: string, device_ids: string[]) =>
  dispatcher.service.call(commandDispatcher.unlockDevices, { project_id: PROJECT, owner, device_ids });

describe('rules for trying again', () => {
  const retry: NewCommandRequest['retry'] = [
    { outcome: 'failed', code: 'busy', max: 2, backoff_seconds: 1, factor: 1 },
  ];

  it('given failures of the class of a rule, then it is sent again with the next attempt and fence, the lane is free meanwhile, and the last one ends it', async () => {
    const device = dispatcher.device();
    const { id } = await dispatcher.commandFor(device, { retry });
    for (const attempt of [1, 2, 3]) {
      await vi.waitUntil(() => sentOf(id).length === attempt, { timeout: 10_000 });
      const message = sentOf(id)[attempt - 1]!;
      expect(message.attempt).toBe(attempt);
      expect(await dispatcher.command(id)).toMatchObject({ state: 'INITIATED', reason: '', code: '' });
      dispatcher.status(device, {
        command_id: id,
        fence: message.fence,
        status: 'failure',
        reason: 'no',
        code: 'busy',
      });
      if (attempt === 1) {
        expect(await dispatcher.reached(id, 'SCHEDULED')).toMatchObject({ waits_for: 'retry_at', reason: 'no' });
        const other = await dispatcher.commandFor(device);
        await vi.waitUntil(() => sentOf(other.id).length === 1);
        dispatcher.status(device, { command_id: other.id, fence: sentOf(other.id)[0]!.fence, status: 'success' });
      }
    }
    const ended = await dispatcher.reached(id, 'FAILURE');
    expect(ended.failures).toMatchObject([
      { attempt: 1, state: 'FAILURE', code: 'busy', reason: 'no' },
      { attempt: 2, state: 'FAILURE', code: 'busy' },
    ]);
    const fences = sentOf(id).map((message) => message.fence);
    expect(fences).toEqual([...new Set(fences)].sort((a, b) => a - b));
  });

  it('given a failure of another class, or a cancel, then it ends at once', async () => {
    const [one, other] = [dispatcher.device(), dispatcher.device()];
    const [broken, cancelled] = [
      await dispatcher.commandFor(one, { retry }),
      await dispatcher.commandFor(other, { retry }),
    ];
    await Promise.all([dispatcher.sentTo(one, 1), dispatcher.sentTo(other, 1)]);
    dispatcher.status(one, { command_id: broken.id, status: 'failure', code: 'exit_1' });
    await dispatcher.reached(broken.id, 'FAILURE');
    await dispatcher.cancelRequest(cancelled.request_id);
    dispatcher.status(other, { command_id: cancelled.id, status: 'failure', code: 'busy' });
    await dispatcher.reached(cancelled.id, 'FAILURE');
    expect(sentOf(cancelled.id)).toHaveLength(1);
  });

  it('given an answer to an attempt that another one has followed, then it changes nothing', async () => {
    const device = dispatcher.device();
    const { id } = await dispatcher.commandFor(device, { retry });
    await dispatcher.sentTo(device, 1);
    dispatcher.status(device, { command_id: id, status: 'failure', code: 'busy' });
    await dispatcher.sentTo(device, 2);
    const before = await dispatcher.service.dropped('status', 'old_fence');
    dispatcher.status(device, { command_id: id, fence: 1, status: 'success' });
    await vi.waitUntil(async () => (await dispatcher.service.dropped('status', 'old_fence')) > before);
    expect((await dispatcher.command(id)).state).toBe('INITIATED');
  });

  it('given another word about an attempt that failed, while the next one is waited for, then it is dropped and counted', async () => {
    const device = dispatcher.device();
    const slow: NewCommandRequest['retry'] = [{ outcome: 'failed', max: 1, backoff_seconds: 600 }];
    const { id } = await dispatcher.commandFor(device, { retry: slow });
    await dispatcher.sentTo(device, 1);
    dispatcher.status(device, { command_id: id, status: 'failure' });
    await dispatcher.reached(id, 'SCHEDULED');
    const before = await dispatcher.service.dropped('status', 'old_fence');
    dispatcher.status(device, { command_id: id, status: 'success' });
    await vi.waitUntil(async () => (await dispatcher.service.dropped('status', 'old_fence')) > before);
    expect((await dispatcher.command(id)).state).toBe('SCHEDULED');
  });

  it('given a time-out that a rule fits, then it is sent again', async () => {
    const device = dispatcher.device();
    const terms = { retry: [{ outcome: 'timed_out' as const, max: 1, backoff_seconds: 0 }] };
    const [id] = (await dispatcher.request([device], { in_progress_seconds: 1, terms })) as [string];
    expect((await dispatcher.sentTo(device, 2))[1]).toMatchObject({ attempt: 2, fence: 2 });
    const ended = await dispatcher.reached(id, 'TIMEOUT');
    expect(ended).toMatchObject({ code: 'in_progress_timeout', attempt: 2 });
    expect(await dispatcher.outcome(id)).toEqual(['TIMEOUT']);
  });
});

describe('commands that are made when their request has expired', () => {
  it('given an idle device, then it is not sent, and ends as never contacted', async () => {
    const device = dispatcher.device();
    const expires_at = new Date(Date.now() - 1_000).toISOString();
    const [id] = (await dispatcher.request([device], { terms: { expires_at } })) as [string];
    expect(await dispatcher.reached(id, 'TIMEOUT')).toMatchObject({ code: 'never_contacted', attempt: 0 });
    const next = await dispatcher.commandFor(device);
    await vi.waitUntil(() => sentOf(next.id).length === 1);
    expect(sentOf(id)).toEqual([]);
  });
});

describe('late answers', () => {
  it('given the end of a command that timed out, then it is recorded once and changes no state; another device’s, or another fence’s, is not', async () => {
    const [device, stranger] = [dispatcher.device(), dispatcher.device()];
    const [id] = (await dispatcher.request([device], { in_progress_seconds: 1 })) as [string];
    await dispatcher.reached(id, 'TIMEOUT');
    dispatcher.status(stranger, { command_id: id, status: 'failure', reason: 'forged' });
    dispatcher.status(device, { command_id: id, fence: 9, status: 'failure', reason: 'another fence' });
    dispatcher.status(device, { command_id: id, status: 'acknowledged' });
    dispatcher.status(device, { command_id: id, status: 'success', evidence: { sha256: 'ab', version: '1.2' } });
    await vi.waitUntil(async () => (await dispatcher.command(id)).late_answer !== null);
    dispatcher.status(device, { command_id: id, status: 'failure', reason: 'on second thoughts' });
    const next = await dispatcher.commandFor(device);
    await vi.waitUntil(() => sentOf(next.id).length === 1);
    dispatcher.status(device, { command_id: next.id, fence: sentOf(next.id)[0]!.fence, status: 'success' });
    await dispatcher.reached(next.id, 'SUCCESS');
    const { state, late_answer } = await dispatcher.command(id);
    expect(state).toBe('TIMEOUT');
    expect(late_answer).toMatchObject({ status: 'success', reason: '', code: '', evidence: { sha256: 'ab' } });
  });
});

describe('concurrent commands', () => {
  it('given a device that is busy, then they go beside its command, twenty at a time, the rest as these end', async () => {
    const device = dispatcher.device();
    const busy = await dispatcher.commandFor(device);
    await dispatcher.sentTo(device, 1);
    const request_id = uuid();
    const items = Array.from({ length: 25 }, () => ({ command_id: uuid(), device_id: device, ref: uuid(), args: {} }));
    await dispatcher.ask(items, { request_id, terms: { concurrent: true } });
    const sent = await dispatcher.sentTo(device, 21);
    expect(sent).toHaveLength(21);
    expect(new Set(sent.map((message) => message.fence)).size).toBe(21);
    expect((await dispatcher.command(items[24]!.command_id)).waits_for).toBe('slot');
    const [first] = sent.slice(1);
    dispatcher.status(device, { command_id: first!.command_id, fence: first!.fence, status: 'success' });
    expect(await dispatcher.sentTo(device, 22)).toHaveLength(22);
    // Its lane has given other fences since; the command in flight keeps its own.
    dispatcher.status(device, { command_id: busy.id, fence: 1, status: 'success' });
    await dispatcher.reached(busy.id, 'SUCCESS');
    const next = await dispatcher.commandFor(device);
    await vi.waitUntil(() => sentOf(next.id).length === 1);
  });

  it('given a hello, then each that has no answer is sent again with its fence', async () => {
    const device = dispatcher.device();
    const ids = [await dispatcher.commandFor(device), await dispatcher.commandFor(device, { concurrent: true })].map(
      ({ id }) => id,
    );
    const first = await dispatcher.sentTo(device, 2);
    await dispatcher.presence(device, true);
    const again = (await dispatcher.sentTo(device, 4)).slice(2);
    const told = (messages: typeof again) => messages.map(({ command_id, fence }) => `${command_id} ${fence}`).sort();
    expect(told(again)).toEqual(told(first));
    expect(again.map((message) => message.command_id).sort()).toEqual(ids.sort());
  });
});

describe('steps', () => {
  it('given a request that wants to hear of them, then it hears of the send and of what the device says before the end', async () => {
    const device = dispatcher.device();
    const item = { command_id: uuid(), device_id: device, ref: uuid(), args: {} };
    const request_id = uuid();
    const steps_to = jobWork.outcome.subject;
    await dispatcher.ask([item], { request_id, terms: { steps_to } });
    await dispatcher.sentTo(device, 1);
    for (const status of ['acknowledged', 'inprogress', 'inprogress'] as const)
      dispatcher.status(device, { command_id: item.command_id, status });
    await dispatcher.reached(item.command_id, 'INPROGRESS');
    dispatcher.status(device, { command_id: item.command_id, status: 'success' });
    const heard = () =>
      dispatcher.outcomes
        .filter((batch) => batch.head.request_id === request_id)
        .flatMap((batch) => batch.items as object[] as { ref: string; step?: string; status?: string }[])
        .map(({ ref, step, status }) => `${ref === item.ref} ${step ?? status}`);
    await vi.waitUntil(() => heard().length === 4);
    expect(heard()).toEqual(['true INITIATED', 'true ACKNOWLEDGED', 'true INPROGRESS', 'true SUCCESS']);
  });
});

describe('deployments', () => {
  it('given a deployment that succeeds, then device-state is told with its arguments and what the evidence names; of another command it is not', async () => {
    const told = dispatcher.service.hear(deviceWork.deployed);
    await dispatcher.service.connection.flush();
    const device = dispatcher.device();
    const [deployment_id, request_id] = [uuid(), uuid()];
    const item = { command_id: uuid(), device_id: device, ref: uuid(), args: { deployment_id } };
    await dispatcher.ask([item], { request_id, args: { image: 'nginx' } });
    await dispatcher.sentTo(device, 1);
    dispatcher.status(device, {
      command_id: item.command_id,
      status: 'success',
      evidence: { sha256: 'ab', version: '1.2' },
    });
    await vi.waitUntil(() => told.length === 1);
    expect(told[0]).toEqual({
      project_id: PROJECT,
      head: { command: 'deployment_deploy', args: { image: 'nginx' } },
      items: [
        {
          deployment_id,
          device_id: device,
          command_id: item.command_id,
          args: { deployment_id },
          evidence: { version: '1.2' },
        },
      ],
    });
    const ping = await dispatcher.commandFor(device);
    await vi.waitUntil(() => sentOf(ping.id).length === 1);
    dispatcher.status(device, { command_id: ping.id, fence: sentOf(ping.id)[0]!.fence, status: 'success' });
    await dispatcher.reached(ping.id, 'SUCCESS');
    expect(told).toHaveLength(1);
  });

  it('given one that is removed, then device-state is told so', async () => {
    const told = dispatcher.service.hear(deviceWork.deployed);
    await dispatcher.service.connection.flush();
    const [device, deployment_id] = [dispatcher.device(), uuid()];
    const { id } = await dispatcher.commandFor(device, { command: 'deployment_remove', args: { deployment_id } });
    await vi.waitUntil(() => sentOf(id).length === 1);
    const evidence = { before: '1.2', deployment_id };
    dispatcher.status(device, { command_id: id, fence: sentOf(id)[0]!.fence, status: 'success', evidence });
    await vi.waitUntil(() => told.length === 1);
    expect(told[0]).toEqual({
      project_id: PROJECT,
      head: { command: 'deployment_remove', args: { deployment_id } },
      items: [{ deployment_id, device_id: device, command_id: id, args: {}, evidence: null }],
    });
  });
});

describe('the lock of a device', () => {
  const under = (lock_owner: string): { terms: Partial<CommandRequest> } => ({ terms: { lock_owner } });

  it('given a lock, then only its owner’s commands go, with a greater fence, and the others when it is unlocked', async () => {
    const [device, owner] = [dispatcher.device(), uuid()];
    const { devices } = await lock(owner, [device]);
    expect(devices).toMatchObject([{ device_id: device, locked: true, owner, reason: 'update' }]);
    const other = await dispatcher.commandFor(device);
    expect(other).toMatchObject({ state: 'QUEUED', waits_for: 'lock' });
    const [own] = (await dispatcher.request([device], under(owner))) as [string];
    const [message] = await dispatcher.sentTo(device, 1);
    expect(message!.command_id).toBe(own);
    expect(message!.fence).toBeGreaterThan(devices[0]!.fence);
    dispatcher.status(device, { command_id: own, fence: message!.fence, status: 'success' });
    await dispatcher.reached(own, 'SUCCESS');
    expect(sentOf(other.id)).toEqual([]);
    expect(await unlock(uuid(), [device])).toEqual({ unlocked: [] });
    expect(await unlock(owner, [device])).toEqual({ unlocked: [device] });
    await vi.waitUntil(() => sentOf(other.id).length === 1);
  });

  it('given owners that race, then exactly one holds each device; its own owner lengthens it and keeps the fence', async () => {
    const devices = Array.from({ length: 40 }, () => dispatcher.device());
    const owners = Array.from({ length: 6 }, () => uuid());
    const answers = await Promise.all(
      owners.map((owner, index) => lock(owner, index % 2 ? devices : devices.toReversed())),
    );
    for (const device of devices) {
      const said = answers.map((answer) => answer.devices.find((one) => one.device_id === device)!);
      expect(said.filter((one) => one.locked)).toHaveLength(1);
      const holder = said.find((one) => one.locked)!.owner;
      expect(said.every((one) => one.owner === holder)).toBe(true);
    }
    const held = answers.flatMap((answer) => answer.devices).find((one) => one.locked)!;
    const [longer] = (await lock(held.owner, [held.device_id], 600)).devices;
    expect(longer).toMatchObject({ locked: true, fence: held.fence });
    expect(Date.parse(longer!.expires_at)).toBeGreaterThan(Date.parse(held.expires_at));
  });

  it('given commands under a lock that is lost or never was, then they fail with lock_lost, and what waited for it goes', async () => {
    const [device, away, owner] = [dispatcher.device(), dispatcher.device(false), uuid()];
    await lock(owner, [away, device]);
    const [waiting] = (await dispatcher.request([away], under(owner))) as [string];
    const other = await dispatcher.commandFor(device);
    await dispatcher.reached(waiting, 'QUEUED');
    await dispatcher.service.query(`UPDATE lane SET lock_expires_at = now() WHERE device_id = ANY($1)`, [
      [device, away],
    ]);
    await dispatcher.service.get(LockTake).step();
    expect(await dispatcher.reached(waiting, 'FAILURE')).toMatchObject({ code: 'lock_lost' });
    await vi.waitUntil(() => sentOf(other.id).length === 1);
    const [without] = (await dispatcher.request([away], under(uuid()))) as [string];
    expect(await dispatcher.reached(without, 'FAILURE')).toMatchObject({ code: 'lock_lost' });
    const { locks } = await dispatcher.service.call(commandDispatcher.getLocks, {
      project_id: PROJECT,
      device_ids: [device, away],
    });
    expect(locks).toEqual([]);
  });
});

describe('a silent device while statuses wait unread', () => {
  it('given that its answer may be among them, then it is not asked again until they are read', async () => {
    const device = dispatcher.device();
    const command = await dispatcher.commandFor(device);
    await dispatcher.sentTo(device, 1);
    const behind = vi.spyOn(dispatcher.service.get(StatusLag), 'isBehind').mockResolvedValue(true);
    const due = () => dispatcher.service.query(`UPDATE command SET due_at = now() WHERE id = $1`, [command.id]);
    await due();
    await vi.waitUntil(async () => Date.parse((await dispatcher.command(command.id)).due_at!) > Date.now() + 2_000);
    expect(sentOf(command.id)).toHaveLength(1);
    behind.mockRestore();
    await due();
    await vi.waitUntil(() => sentOf(command.id).length === 2);
  });
});
