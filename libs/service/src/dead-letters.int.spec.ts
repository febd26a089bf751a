import { deadLetters, deviceSubject, WORK_STREAM, type DeadLetter } from '@muster/contracts';
import { DeadLetterStore } from '@muster/journal';
import { randomUUID } from 'node:crypto';
import { DataSource } from 'typeorm';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { RunningService } from './testing/running-service.js';
import { tinyService, trouble, welcome, welcomed } from './testing/tiny-service.js';

const ask = deadLetters.get(tinyService.service)!;
const page = { limit: 100 };

let service: RunningService;

beforeAll(async () => {
  service = await RunningService.start(tinyService, {}, { users: false });
});
afterEach(async () => {
  trouble.clear();
  await service.query('DELETE FROM dead_letter');
});
afterAll(() => service.stop());

const letters = async () => (await service.call(ask.list, page)).letters;
const untilParked = (count: number) =>
  vi.waitUntil(
    async () => {
      const found = await letters();
      return found.length === count && found;
    },
    { timeout: 40_000, interval: 100 },
  );
const park = (letter: Partial<Parameters<DeadLetterStore['park']>[0]> = {}) =>
  new DeadLetterStore(service.get(DataSource)).park({
    subject: welcome.subject,
    headers: {},
    payload: Buffer.from(JSON.stringify({ project_id: 'acme', head: {}, items: [] })),
    reason: 'no',
    deliveries: 8,
    ...letter,
  });
const left = async () => {
  const manager = await service.connection.jetstreamManager();
  return (await manager.streams.info(WORK_STREAM)).state.messages;
};

describe('a message that cannot be handled', () => {
  it('given that its cause is mended after it was parked, then it is tried after growing waits, listed with its reason, replayed, and done', async () => {
    const id = randomUUID();
    trouble.set(id, 'nobody is at home');
    const tries = () => trouble.tries.get(id) ?? [];
    await service.ask(welcome, { project_id: 'acme', head: {}, items: [{ id }] });
    const [letter] = await untilParked(1);
    expect(letter).toMatchObject({
      service: 'device-state',
      project_id: 'acme',
      subject: welcome.subject,
      reason: 'nobody is at home',
      deliveries: 8,
      payload: { project_id: 'acme', head: {}, items: [{ id }] },
      payload_encoding: 'json',
      payload_truncated: false,
    });
    const waits = tries()
      .slice(1)
      .map((at, index) => at - tries()[index]!);
    expect(waits).toHaveLength(7);
    // Half of each doubled wait is certain, the rest is chance; the server's clock may differ by a little.
    for (const [index, wait] of waits.entries()) expect(wait).toBeGreaterThan(100 * 2 ** index - 10);

    // What is tried often is watched, so that one that ends its reader is known; nothing of that stays behind.
    await vi.waitUntil(async () => (await service.query('SELECT FROM watched_delivery')).length === 0);

    trouble.delete(id);
    await service.call(ask.replay, { id: letter!.id });
    await vi.waitUntil(() => welcomed.has(id), { timeout: 10_000 });
    expect(await letters()).toEqual([]);
    await expect(service.call(ask.replay, { id: letter!.id })).rejects.toMatchObject({ kind: 'not_found' });
  }, 60_000);

  it('given that it comes again after it was parked, then it is one letter, and another message is another', async () => {
    expect(await park({ name: 'stream consumer 1', reason: 'first' })).toBe(true);
    expect(await park({ name: 'stream consumer 1', reason: 'again' })).toBe(false);
    expect(await park({ name: 'stream consumer 2', reason: 'other' })).toBe(true);
    expect((await letters()).map(({ reason }) => reason)).toEqual(['first', 'other']);
  });

  it('given that it is poison for good, then a replay brings it back as a new letter', async () => {
    await service.connection.jetstream().publish(welcome.subject, 'poison', { msgID: 'once' });
    const [first] = await untilParked(1);
    expect(first).toMatchObject({
      reason: 'not JSON',
      project_id: null,
      payload: Buffer.from('poison').toString('base64'),
      payload_encoding: 'base64',
      headers: { 'Nats-Msg-Id': 'once' },
    });
    await service.call(ask.replay, { id: first!.id });
    const [second] = await vi.waitUntil(
      async () => {
        const found = await letters();
        return found.length === 1 && found[0]!.id !== first!.id && found;
      },
      { timeout: 10_000 },
    );
    expect(second).toMatchObject({ reason: 'not JSON', headers: { 'Nats-Msg-Id': `replay.${first!.id}` } });
    expect(second!.id > first!.id).toBe(true);
  });
});

describe('a replay', () => {
  it('given a crash between publishing and forgetting, then the second replay publishes nothing and forgets the letter', async () => {
    const id = randomUUID();
    trouble.set(id, 'not now');
    await park({ payload: Buffer.from(JSON.stringify({ project_id: 'acme', head: {}, items: [{ id }] })) });
    const [letter] = await letters();
    const remove = vi.spyOn(DeadLetterStore.prototype, 'remove').mockRejectedValueOnce(new Error('crash'));
    await expect(service.call(ask.replay, { id: letter!.id })).rejects.toMatchObject({ kind: 'unavailable' });
    const manager = await service.connection.jetstreamManager();
    const before = (await manager.streams.info(WORK_STREAM)).state.last_seq;
    await service.call(ask.replay, { id: letter!.id });
    expect((await manager.streams.info(WORK_STREAM)).state.last_seq).toBe(before);
    expect(remove).toHaveBeenCalledTimes(2);
    expect(await letters()).toEqual([]);
    trouble.clear();
    await vi.waitUntil(async () => welcomed.has(id) && (await left()) === 0, { timeout: 20_000 });
  });

  it('given a message larger than the bus carries, then it is refused with both sizes, and stays', async () => {
    const limit = service.connection.info!.max_payload;
    await park({ payload: Buffer.alloc(limit, 'x') });
    const [letter] = await letters();
    expect(letter).toMatchObject({ payload_bytes: limit, payload_truncated: true, payload_encoding: 'base64' });
    await expect(service.call(ask.replay, { id: letter!.id })).rejects.toMatchObject({
      kind: 'too_large',
      message: `${limit} bytes and headers are more than the bus carries (${limit} bytes)`,
    });
    expect(await letters()).toHaveLength(1);
  });

  it('given a message larger than its stream takes, then it is refused, and stays', async () => {
    await park({ subject: deviceSubject('acme', randomUUID(), 'report'), payload: Buffer.alloc(600 * 1024, 'x') });
    const [letter] = await letters();
    await expect(service.call(ask.replay, { id: letter!.id })).rejects.toMatchObject({
      kind: 'too_large',
      message: '614400 bytes and headers are more than its stream takes',
    });
    expect(await letters()).toHaveLength(1);
  });

  it('given a stream that takes no more, then it is refused as unavailable with the reason, and stays', async () => {
    const { streams } = await service.connection.jetstreamManager();
    const { config } = await streams.info(WORK_STREAM);
    await streams.update(WORK_STREAM, { ...config, max_msgs: 1 });
    await service.connection.jetstream().publish('muster.work.device-state.nobody', '{}');
    await park();
    const [letter] = await letters();
    try {
      await expect(service.call(ask.replay, { id: letter!.id })).rejects.toMatchObject({
        kind: 'unavailable',
        message: expect.stringMatching(/^the bus did not take it: maximum messages exceeded/) as string,
      });
      expect(await letters()).toHaveLength(1);
    } finally {
      await streams.delete(WORK_STREAM);
      await streams.add(config);
    }
  });
});

describe('the list', () => {
  it('given more letters than a page, then the pages hold all of them, in the order in which they were parked', async () => {
    for (let index = 0; index < 7; index++) await park({ reason: String(index) });
    const seen: DeadLetter[] = [];
    let after: string | undefined;
    do {
      const found = await service.call(ask.list, { limit: 3, ...(after && { after }) });
      expect(found.letters.length).toBeLessThanOrEqual(3);
      seen.push(...found.letters);
      after = found.next ?? undefined;
    } while (after);
    expect(seen.map(({ reason }) => reason)).toEqual(['0', '1', '2', '3', '4', '5', '6']);
  });

  it('given letters that are large, then a page ends before it is larger than any bus carries', async () => {
    const reason = 'r'.repeat(2_000);
    const headers = Object.fromEntries(Array.from({ length: 40 }, (_, index) => [`X-${index}`, 'h'.repeat(2_000)]));
    for (let index = 0; index < 20; index++) await park({ reason, headers });
    const found = await service.call(ask.list, page);
    expect(found.letters.length).toBeGreaterThan(5);
    expect(found.letters.length).toBeLessThan(20);
    expect(found.next).toBe(found.letters.at(-1)!.id);
    expect(JSON.stringify(found).length).toBeLessThan(1024 * 1024);
  });

  it('given letters whose headers are large, then no more of them are read for a page than its bytes, and the pages hold all', async () => {
    const headers = { 'X-Large': 'h'.repeat(300 * 1024) };
    for (let index = 0; index < 5; index++) await park({ reason: String(index), headers });
    const read = vi.spyOn(DeadLetterStore.prototype, 'list');
    const reasons: string[][] = [];
    let after: string | undefined;
    do {
      const found = await service.call(ask.list, { ...page, ...(after && { after }) });
      reasons.push(found.letters.map(({ reason }) => reason));
      after = found.next ?? undefined;
    } while (after);
    expect(reasons).toEqual([['0', '1'], ['2', '3'], ['4']]);
    const pages = await Promise.all(read.mock.results.map(({ value }) => value as ReturnType<DeadLetterStore['list']>));
    read.mockRestore();
    expect(pages.map(({ letters }) => letters.length)).toEqual([2, 2, 1]);
  });

  it.each([
    [{ subject: welcome.subject }, ['work', 'lost']],
    [{ subject: 'muster.dev.>' }, ['ours', 'theirs']],
    [{ subject: 'muster' }, []],
    [{ project_id: 'acme' }, ['work', 'ours']],
    [{ project_id: 'other' }, ['theirs']],
    [{ parked_before: '2020-01-01T00:00:00Z' }, []],
    [{ parked_before: '2999-01-01t00:00:00.123456789z' }, ['work', 'ours', 'theirs', 'lost']],
    [{ parked_before: '0001-01-01T15:59:00+15:59' }, []],
    [{ parked_before: '9999-12-31T08:00:59-15:59' }, ['work', 'ours', 'theirs', 'lost']],
  ])('given the filter %j, then it shows those letters alone', async (filter, reasons) => {
    await park({ reason: 'work' });
    await park({ reason: 'ours', subject: `muster.dev.acme.${randomUUID()}.status` });
    await park({ reason: 'theirs', subject: `muster.dev.other.${randomUUID()}.status` });
    await park({ reason: 'lost', payload: Buffer.from('{"project_id":"Not A Slug"}') });
    const found = await service.call(ask.list, { ...page, ...filter });
    expect(found.letters.map(({ reason }) => reason)).toEqual(reasons);
  });

  it('given a letter of another project, then it is neither shown, nor replayed, nor discarded', async () => {
    await park();
    const [letter] = await letters();
    for (const question of [ask.get, ask.replay, ask.discard]) {
      const foreign = service.call(question, { project_id: 'other', id: letter!.id });
      await expect(foreign).rejects.toMatchObject({ kind: 'not_found' });
    }
    expect(await service.call(ask.get, { project_id: 'acme', id: letter!.id })).toMatchObject({ id: letter!.id });
    await service.call(ask.discard, { project_id: 'acme', id: letter!.id });
    expect(await letters()).toEqual([]);
  });

  it('given text in reason and headers that no database takes, then it is parked all the same', async () => {
    await park({ reason: 'a\0b\ud800', headers: { 'X-What': 'c\0d' } });
    expect(await letters()).toMatchObject([{ reason: 'a\uFFFDb\uFFFD', headers: { 'X-What': 'c\uFFFDd' } }]);
  });
});
