import { commandWork } from '@muster/contracts';
import { Journal, type Tx } from '@muster/journal';
import { v7 as uuid } from 'uuid';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { PROJECT, RunningDispatcher } from '../testing/running-dispatcher.js';
import { PresenceCheck } from '../lanes/presence.check.js';
import { CommandStore } from './command.store.js';

let dispatcher: RunningDispatcher;

beforeAll(async () => {
  dispatcher = await RunningDispatcher.start();
});
afterAll(() => dispatcher.service.stop());

describe('an IMMEDIATE command', () => {
  it('given an online device, when its answer is success, then the command succeeds with its evidence and the asker is told once', async () => {
    const device = dispatcher.device();
    const [id] = (await dispatcher.request([device], { args: { image: 'nginx' } })) as [string];
    const [message] = await dispatcher.sentTo(device, 1);
    expect(message).toMatchObject({
      command_id: id,
      command: 'deployment_deploy',
      args: { image: 'nginx' },
      attempt: 1,
      fence: 1,
    });

    dispatcher.status(device, { command_id: id, status: 'acknowledged' });
    await dispatcher.reached(id, 'ACKNOWLEDGED');
    dispatcher.status(device, { command_id: id, status: 'inprogress', progress: 40 });
    expect(await dispatcher.reached(id, 'INPROGRESS')).toMatchObject({ progress: 40 });
    dispatcher.status(device, { command_id: id, status: 'inprogress', progress: 80 });
    await vi.waitUntil(async () => (await dispatcher.command(id)).progress === 80);
    dispatcher.status(device, { command_id: id, status: 'success', evidence: { sha256: 'ab' } });

    expect(await dispatcher.reached(id, 'SUCCESS')).toMatchObject({ evidence: { sha256: 'ab' }, due_at: null });
    expect(await dispatcher.outcome(id)).toEqual(['SUCCESS']);
    await vi.waitUntil(() => dispatcher.service.statesOf(id).length === 5);
    expect(dispatcher.service.statesOf(id)).toEqual(['QUEUED', 'INITIATED', 'ACKNOWLEDGED', 'INPROGRESS', 'SUCCESS']);
    expect((await dispatcher.command(id)).activity.map((entry) => entry.state)).toEqual([
      'QUEUED',
      'INITIATED',
      'ACKNOWLEDGED',
      'INPROGRESS',
      'SUCCESS',
    ]);
  });

  it('given three commands for one device, then they are sent one at a time, in their order, the higher priority first', async () => {
    const device = dispatcher.device();
    const [first] = await dispatcher.request([device]);
    await dispatcher.sentTo(device, 1);
    const [second] = await dispatcher.request([device]);
    const [third] = await dispatcher.request([device]);
    const [urgent] = await dispatcher.request([device], { priority: 5 });
    for (const id of [second, third, urgent]) await dispatcher.reached(id!, 'QUEUED');
    for (const [index, id] of [first, urgent, second, third].entries()) {
      const sent = await dispatcher.sentTo(device, index + 1);
      expect(sent).toHaveLength(index + 1);
      expect(sent[index]).toMatchObject({ command_id: id, fence: index + 1 });
      dispatcher.status(device, { command_id: id!, fence: index + 1, status: 'success' });
      await dispatcher.reached(id!, 'SUCCESS');
    }
  });

  it('given a device that fails, then the command fails with its reason and code', async () => {
    const device = dispatcher.device();
    const [id] = (await dispatcher.request([device])) as [string];
    await dispatcher.sentTo(device, 1);
    dispatcher.status(device, { command_id: id, status: 'failure', reason: 'disk full', code: 'exit_1' });
    expect(await dispatcher.reached(id, 'FAILURE')).toMatchObject({ reason: 'disk full', code: 'exit_1' });
    expect(await dispatcher.outcome(id)).toEqual(['FAILURE']);
  });

  it('given an end with more text than is kept, then it counts, and the beginning of the text stays', async () => {
    const device = dispatcher.device();
    const [id] = (await dispatcher.request([device])) as [string];
    await dispatcher.sentTo(device, 1);
    const [reason, code] = ['no'.repeat(50_000), 'x'.repeat(1_000)];
    dispatcher.status(device, { command_id: id, status: 'failure', reason, code });
    const ended = await dispatcher.reached(id, 'FAILURE');
    expect([ended.reason, ended.code]).toEqual([reason.slice(0, 2048), code.slice(0, 128)]);
  });

  it('given answers that come twice and in the wrong order, then the first end counts and no version is skipped', async () => {
    const device = dispatcher.device();
    const [id] = (await dispatcher.request([device])) as [string];
    await dispatcher.sentTo(device, 1);
    for (const status of ['success', 'inprogress', 'acknowledged', 'failure', 'success'] as const)
      dispatcher.status(device, { command_id: id, status });
    await dispatcher.reached(id, 'SUCCESS');
    dispatcher.status(device, { command_id: id, status: 'failure' });
    await vi.waitUntil(async () => (await dispatcher.service.dropped('status', 'already_ended')) > 0);
    expect(await dispatcher.outcome(id)).toEqual(['SUCCESS']);
    await vi.waitUntil(() => dispatcher.service.statesOf(id).at(-1) === 'SUCCESS');
    const versions = dispatcher.service.eventsOf(id).map((event) => event.version);
    expect([...new Set(versions)]).toEqual(versions.map((_, index) => index + 1));
  });
});

describe('an offline device', () => {
  it('given a queue, when the device comes online, then it gets the first command, and at each hello again what it works on', async () => {
    const device = dispatcher.device(false);
    const [first] = (await dispatcher.request([device, device])) as [string, string];
    await dispatcher.reached(first, 'QUEUED');
    expect(dispatcher.sent.some((message) => message.device_id === device)).toBe(false);

    await dispatcher.presence(device, true);
    const [message] = await dispatcher.sentTo(device, 1);
    expect(message).toMatchObject({ command_id: first, fence: 1, attempt: 1 });
    await dispatcher.presence(device, true);
    const again = await dispatcher.sentTo(device, 2);
    expect(again[1]).toMatchObject({ command_id: first, fence: 1, attempt: 1 });
  });

  it('given presence that comes late, then an older word does not hide the device', async () => {
    const device = dispatcher.device(false);
    const [id] = (await dispatcher.request([device])) as [string];
    await dispatcher.reached(id, 'QUEUED');
    const words = [
      { device_id: device, online: true, version: 9 },
      { device_id: device, online: false, version: 8 },
    ];
    await dispatcher.service.ask(commandWork.presence, { project_id: PROJECT, head: {}, items: words });
    expect(await dispatcher.sentTo(device, 1)).toHaveLength(1);
    await dispatcher.service.ask(commandWork.presence, { project_id: PROJECT, head: {}, items: [words[1]!] });
    dispatcher.status(device, { command_id: id, status: 'success' });
    await dispatcher.reached(id, 'SUCCESS');
    const [next] = (await dispatcher.request([device])) as [string];
    expect((await dispatcher.sentTo(device, 2))[1]).toMatchObject({ command_id: next });
  });

  it('given a device that is never contacted before the command expires, then it times out with that reason', async () => {
    const device = dispatcher.device(false);
    const [id] = (await dispatcher.request([device], { offline_seconds: 1 })) as [string];
    expect(await dispatcher.reached(id, 'TIMEOUT')).toMatchObject({ reason: 'never_contacted' });
    expect(await dispatcher.outcome(id)).toEqual(['TIMEOUT']);
  });
});

describe('time', () => {
  it('given a device that keeps silent, then the command is sent again with the same fence and times out at its deadline, and the next one goes out', async () => {
    const device = dispatcher.device();
    const [id] = (await dispatcher.request([device], { in_progress_seconds: 7 })) as [string];
    const [first, second] = await dispatcher.sentTo(device, 2);
    expect(second).toEqual(first);
    expect(await dispatcher.reached(id, 'TIMEOUT')).toMatchObject({ code: 'in_progress_timeout' });
    const [next] = (await dispatcher.request([device])) as [string];
    expect((await dispatcher.sentTo(device, 3))[2]).toMatchObject({ command_id: next, fence: 2 });

    dispatcher.status(device, { command_id: id, fence: 1, status: 'success' });
    await vi.waitUntil(async () => (await dispatcher.service.dropped('status', 'already_ended')) > 0);
    expect((await dispatcher.command(id)).state).toBe('TIMEOUT');
  });
});

describe('many commands that are due at once', () => {
  it('given some of them to be sent again, then no other is read', async () => {
    const devices = Array.from({ length: 400 }, () => dispatcher.device());
    const ids = await dispatcher.request(devices);
    for (const device of devices) await dispatcher.sentTo(device, 1);
    const commands = ids.slice(0, 50).map((id) => ({ id, online: true }));

    const read = await dispatcher.service.get(Journal).transaction(PROJECT, async (tx) => {
      await tx.query(`UPDATE command SET due_at = now() WHERE project_id = $1 AND id = ANY($2)`, [PROJECT, ids]);
      const before = await commandsRead(tx);
      expect(await dispatcher.service.get(CommandStore).takeResends(tx, commands, false)).toHaveLength(50);
      return (await commandsRead(tx)) - before;
    });
    expect(read).toBe(50);
  });
});

/** How many rows of commands this transaction has read. */
async function commandsRead(tx: Tx): Promise<number> {
  const [row] = await tx.query<{ read: number }>(
    `SELECT (idx_tup_fetch + seq_tup_read)::int AS read FROM pg_stat_xact_user_tables WHERE relid = 'command'::regclass`,
  );
  return row!.read;
}

describe('bad input', () => {
  it('given a status of another device for a command, then nothing changes and it is counted', async () => {
    const [victim, attacker] = [dispatcher.device(), dispatcher.device()];
    const [id] = (await dispatcher.request([victim])) as [string];
    await dispatcher.sentTo(victim, 1);
    const before = await dispatcher.service.dropped('status', 'foreign_command');
    dispatcher.status(attacker, { command_id: id, status: 'success' });
    await vi.waitUntil(async () => (await dispatcher.service.dropped('status', 'foreign_command')) > before);
    expect((await dispatcher.command(id)).state).toBe('INITIATED');
  });

  it('given a forged status and the true one in the same moment, then the true one counts', async () => {
    const [victim, attacker] = [dispatcher.device(), dispatcher.device()];
    const [id] = (await dispatcher.request([victim])) as [string];
    await dispatcher.sentTo(victim, 1);
    dispatcher.status(attacker, { command_id: id, status: 'failure', reason: 'forged' });
    dispatcher.status(victim, { command_id: id, status: 'success' });
    await dispatcher.reached(id, 'SUCCESS');
  });

  it('given an old fence, then nothing changes and it is counted', async () => {
    const device = dispatcher.device();
    const [first] = (await dispatcher.request([device])) as [string];
    await dispatcher.sentTo(device, 1);
    dispatcher.status(device, { command_id: first, status: 'success' });
    await dispatcher.reached(first, 'SUCCESS');
    const [second] = (await dispatcher.request([device])) as [string];
    await dispatcher.sentTo(device, 2);
    dispatcher.status(device, { command_id: second, fence: 1, status: 'success' });
    await vi.waitUntil(async () => (await dispatcher.service.dropped('status', 'old_fence')) > 0);
    expect((await dispatcher.command(second)).state).toBe('INITIATED');
  });

  it.each([
    ['not JSON', 'not_json', 'no json'],
    ['a list', 'invalid', '[]'],
    ['an unknown status word', 'invalid', JSON.stringify({ command_id: uuid(), fence: 1, status: 'done' })],
    ['a NUL', 'invalid', JSON.stringify({ command_id: uuid(), fence: 1, status: 'failure', reason: 'a\u0000b' })],
    ['half a surrogate pair', 'invalid', `{"command_id":"${uuid()}","fence":1,"status":"failure","reason":"\\ud800"}`],
    ['bytes', 'not_json', new Uint8Array([0xff, 0xfe, 0])],
    ['300 KB', 'too_large', 'x'.repeat(300_000)],
  ])(
    'given %s as a status, then it is dropped, counted, and the next one is handled',
    async (_what, reason, payload) => {
      const device = dispatcher.device();
      const [id] = (await dispatcher.request([device])) as [string];
      await dispatcher.sentTo(device, 1);
      const before = await dispatcher.service.dropped('status', reason);
      dispatcher.service.say(PROJECT, device, 'status', payload);
      dispatcher.status(device, { command_id: id, status: 'success' });
      await dispatcher.reached(id, 'SUCCESS');
      expect(await dispatcher.service.dropped('status', reason)).toBe(before + 1);
    },
  );

  it('given work for a device that does not exist, then the asker hears of a failure', async () => {
    const [id] = (await dispatcher.request([uuid()])) as [string];
    expect(await dispatcher.reached(id, 'FAILURE')).toMatchObject({ code: 'unknown_device' });
    expect(await dispatcher.outcome(id)).toEqual(['FAILURE']);
  });
});

describe('a lost word of presence', () => {
  it('given a device that is online in truth with a command in flight, then it is asked about, and the command is sent again', async () => {
    const device = dispatcher.device();
    const [id] = (await dispatcher.request([device])) as [string];
    await dispatcher.sentTo(device, 1);
    await dispatcher.service.query(
      `UPDATE lane SET online = false, checked_at = now() - interval '1 hour' WHERE device_id = $1`,
      [device],
    );
    await dispatcher.service.get(PresenceCheck).step();
    expect((await dispatcher.sentTo(device, 2))[1]).toMatchObject({ command_id: id, fence: 1 });
  });
});

describe('repetition', () => {
  it('given a request that comes twice, then the device gets it once; given one that has ended, then its outcome comes again', async () => {
    const device = dispatcher.device();
    const item = { command_id: uuid(), device_id: device, ref: uuid(), args: {} };
    const request_id = uuid();
    await dispatcher.ask([item], { request_id });
    await dispatcher.ask([item], { request_id });
    await dispatcher.sentTo(device, 1);
    dispatcher.status(device, { command_id: item.command_id, status: 'success' });
    expect(await dispatcher.outcome(item.command_id)).toEqual(['SUCCESS']);
    await dispatcher.ask([item], { request_id });
    await vi.waitUntil(() => dispatcher.outcomesOf(item.command_id).length === 2);
    expect(dispatcher.sent.filter((message) => message.device_id === device)).toHaveLength(1);
  });

  it('given a batch that comes several times at the same moment, then each device works on one command at a time', async () => {
    const request_id = uuid();
    const devices = Array.from({ length: 40 }, () => dispatcher.device());
    await dispatcher.ask([{ command_id: uuid(), device_id: dispatcher.device(), ref: uuid(), args: {} }], {
      request_id,
    });
    const items = devices.map((device_id) => ({ command_id: uuid(), device_id, ref: uuid(), args: {} }));
    const later = devices.map((device_id) => ({ command_id: uuid(), device_id, ref: uuid(), args: {} }));
    await Promise.all([items, items, items].map((batch) => dispatcher.ask(batch, { request_id })));
    await dispatcher.ask(later, { request_id });
    for (const { command_id } of later) await dispatcher.reached(command_id, 'QUEUED');
    const inFlight = await dispatcher.service.query(
      `SELECT device_id FROM command WHERE device_id = ANY($1) AND state IN ('INITIATED', 'ACKNOWLEDGED', 'INPROGRESS') GROUP BY 1 HAVING count(*) > 1`,
      [devices],
    );
    expect(inFlight).toEqual([]);
    expect(dispatcher.sent.filter((message) => later.some((item) => item.command_id === message.command_id))).toEqual(
      [],
    );
  });

  it('given a status that writes its command in capitals, then it counts', async () => {
    const device = dispatcher.device();
    const [id] = (await dispatcher.request([device])) as [string];
    await dispatcher.sentTo(device, 1);
    dispatcher.status(device, { command_id: id.toUpperCase(), status: 'success' });
    expect(await dispatcher.outcome(id)).toEqual(['SUCCESS']);
  });

  it('given a restart with commands queued and in flight, then all of them come to their end', async () => {
    const devices = Array.from({ length: 30 }, () => dispatcher.device());
    const ids = await dispatcher.request([...devices, ...devices]);
    await Promise.all(devices.map((device) => dispatcher.sentTo(device, 1)));
    await dispatcher.service.restart();
    for (const [index, device] of devices.entries())
      dispatcher.status(device, { command_id: ids[index]!, status: 'success' });
    await Promise.all(devices.map((device) => dispatcher.sentTo(device, 2)));
    for (const [index, device] of devices.entries())
      dispatcher.status(device, { command_id: ids[index + 30]!, fence: 2, status: 'success' });
    for (const id of ids) await dispatcher.reached(id, 'SUCCESS');
  });
});
