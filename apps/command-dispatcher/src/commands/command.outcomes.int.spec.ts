import { v7 as uuid } from 'uuid';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { newItem, RunningDispatcher } from '../testing/running-dispatcher.js';

let dispatcher: RunningDispatcher;

beforeAll(async () => {
  dispatcher = await RunningDispatcher.start();
});
afterAll(() => dispatcher.service.stop());

const told = async (id: string, count = 1) => {
  await vi.waitUntil(() => dispatcher.toldOf(id).length >= count, { timeout: 15_000 });
  return dispatcher.toldOf(id);
};

describe('whether an outcome is of a command that its device was sent', () => {
  it('given one that was, then it says so, and again when it is asked for or cancelled once more', async () => {
    const item = newItem(dispatcher.device());
    const request_id = uuid();
    await dispatcher.ask([item], { request_id });
    await dispatcher.sentTo(item.device_id, 1);
    dispatcher.status(item.device_id, { command_id: item.command_id, status: 'failure', code: 'exit_1' });
    const first = {
      command_id: item.command_id,
      ref: item.ref,
      status: 'FAILURE',
      reason: '',
      code: 'exit_1',
      sent: true,
    };
    expect(await told(item.command_id)).toEqual([first]);
    await dispatcher.ask([item], { request_id });
    expect(await told(item.command_id, 2)).toEqual([first, first]);
    await dispatcher.cancel([item.command_id], { request_id });
    expect(await told(item.command_id, 3)).toEqual([first, first, first]);
  });

  it('given those that were not, then it says that', async () => {
    const away = dispatcher.device(false);
    const [expired] = (await dispatcher.request([away], { offline_seconds: 1 })) as [string];
    const [cancelled] = (await dispatcher.request([away])) as [string];
    const [nowhere] = (await dispatcher.request([uuid()])) as [string];
    const unknown = uuid();
    await dispatcher.reached(cancelled, 'QUEUED');
    await dispatcher.cancel([cancelled, unknown]);
    expect(await told(expired)).toMatchObject([{ status: 'TIMEOUT', code: 'never_contacted', sent: false }]);
    expect(await told(cancelled)).toMatchObject([{ status: 'CANCELLED', sent: false }]);
    expect(await told(nowhere)).toMatchObject([{ status: 'FAILURE', code: 'unknown_device', sent: false }]);
    expect(await told(unknown)).toMatchObject([{ status: 'CANCELLED', sent: false }]);
  });

  it('given one that is cancelled before a further attempt, then it was', async () => {
    const device = dispatcher.device();
    const terms = { retry: [{ outcome: 'failed' as const, max: 1, backoff_seconds: 60 }] };
    const [id] = (await dispatcher.request([device], { terms })) as [string];
    await dispatcher.sentTo(device, 1);
    dispatcher.status(device, { command_id: id, status: 'failure' });
    await dispatcher.reached(id, 'SCHEDULED');
    await dispatcher.cancel([id]);
    expect(await told(id)).toMatchObject([{ status: 'CANCELLED', sent: true }]);
  });
});

describe('the proof of a success', () => {
  const succeed = async (proof_path: string | undefined, evidence?: Record<string, unknown>) => {
    const item = newItem(dispatcher.device());
    const settings = { request_id: uuid(), terms: { ...(proof_path !== undefined && { proof_path }) } };
    await dispatcher.ask([item], settings);
    await dispatcher.sentTo(item.device_id, 1);
    dispatcher.status(item.device_id, {
      command_id: item.command_id,
      status: 'success',
      ...(evidence && { evidence }),
    });
    await told(item.command_id);
    await dispatcher.ask([item], settings);
    return (await told(item.command_id, 2)).map((outcome) => ('proof' in outcome ? [outcome.proof] : []));
  };

  it.each([
    ['a text', 'version', { version: '1.2', boot: 'b' }, '1.2'],
    ['a number deep inside', 'os.kernel.build', { os: { kernel: { build: 7 } } }, 7],
    ['an object', 'os', { os: { name: 'x' } }, { name: 'x' }],
    ['an element of an array', 'disks.1', { disks: ['a', 'b'] }, 'b'],
    ['false', 'dirty', { dirty: false }, false],
    ['null', 'version', { version: null }, null],
  ])('given %s at the path, then the outcome carries it each time it is told', async (_what, path, evidence, proof) => {
    expect(await succeed(path, evidence)).toEqual([[proof], [proof]]);
  });

  it('given nothing at the path, no evidence, or no path, then there is none', async () => {
    const nothing = [[], []];
    expect(await succeed('version.major', { version: '1.2' })).toEqual(nothing);
    expect(await succeed('version')).toEqual(nothing);
    expect(await succeed(undefined, { version: '1.2' })).toEqual(nothing);
  });

  it('given a failure, then there is none', async () => {
    const device = dispatcher.device();
    const [id] = (await dispatcher.request([device], { terms: { proof_path: 'version' } })) as [string];
    await dispatcher.sentTo(device, 1);
    dispatcher.status(device, { command_id: id, status: 'failure', evidence: { version: '1.2' } });
    const [outcome] = await told(id);
    expect(outcome).not.toHaveProperty('proof');
  });
});
