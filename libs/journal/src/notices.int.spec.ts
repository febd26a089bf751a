import { noticeToCloudEvent } from '@muster/contracts';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { rebuild } from './rebuild.js';
import {
  doors,
  doorTable,
  loseTail,
  openDoors,
  PROJECT,
  SCHEMA,
  SERVICE,
  storedEvents,
  STREAM,
  warmth,
  type Doors,
} from './testing/door.js';

const AT = 1_700_000_000_000;
const TRACE = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';

let house: Doors;
let door: string;

beforeEach(async () => {
  house = await doors();
  [door] = (await openDoors(house.journal(), 1)) as [string];
});
afterEach(() => house.stop());

const noticeOf = (number: number) => ({ id: door, number, at: AT + number, data: { degrees: 20 + number } });
const tell = (number: number) =>
  house.journal().transaction(PROJECT, async (tx) => tx.notice(warmth, noticeOf(number)));
const idsOf = async () => (await storedEvents(house.connection)).map(({ id }) => id);
const untilBack = (ids: readonly string[]) =>
  expect.poll(idsOf, { timeout: 20_000, interval: 100 }).toEqual(expect.arrayContaining([...ids]));

/** Notices alone, and one that stands beside a transition: five events. */
const fiveEvents = async () => {
  await tell(1);
  await house.journal().transaction(PROJECT, async (tx) => {
    await tx.transition(doorTable, 'Closed', { ids: [door] });
    tx.notice(warmth, noticeOf(2));
  });
  await tell(3);
  return [
    `door.${door}.1`,
    `door.warmth.${door}.1`,
    `door.warmth.${door}.2`,
    `door.${door}.2`,
    `door.warmth.${door}.3`,
  ];
};

describe('notices', () => {
  it('given some between transitions, then each is an event on its subject, in order, before the transitions of its transaction', async () => {
    house.startRelay();
    const ids = await fiveEvents();
    await house.untilPublished();
    expect(await idsOf()).toEqual(ids);
    const manager = await house.connection.jetstreamManager();
    const { subject, data } = await manager.streams.getMessage(STREAM, { seq: 2 });
    expect(subject).toBe(`muster.evt.${PROJECT}.door.warmth.${door}`);
    expect(Buffer.from(data).toString()).toBe(
      noticeToCloudEvent(SERVICE, PROJECT, { entity: 'door', name: 'warmth', ...noticeOf(1) }),
    );
  });

  it('given one, then it is no transition: what is journalled of those, and the row, are as without it', async () => {
    const before = await house.dataSource.query<object[]>('SELECT * FROM door');
    await tell(1);
    expect(await house.dataSource.query('SELECT * FROM door')).toEqual(before);
    expect(await house.dataSource.query('SELECT transitions FROM journal ORDER BY seq DESC LIMIT 1')).toEqual([
      { transitions: [] },
    ]);
  });

  it('given a trace, then its event carries it', async () => {
    house.startRelay();
    await house.journal().transaction(PROJECT, async (tx) => tx.notice(warmth, { ...noticeOf(1), traceparent: TRACE }));
    await house.untilPublished();
    expect((await storedEvents(house.connection)).at(-1)).toMatchObject({ traceparent: TRACE });
  });

  it('given a transaction that fails, then nothing is told', async () => {
    const failing = house.journal().transaction(PROJECT, async (tx) => {
      tx.notice(warmth, noticeOf(1));
      throw new Error('no');
    });
    await expect(failing).rejects.toThrow('no');
    house.startRelay();
    await house.untilPublished();
    expect(await idsOf()).toEqual([`door.${door}.1`]);
  });

  it('given a crash before they are marked, then they come again under the same ids, and none is missing', async () => {
    let crashes = 1;
    house.startRelay({
      fault: (at) => {
        if (at === 'before_mark' && crashes-- > 0) throw new Error('crash');
      },
    });
    const ids = await fiveEvents();
    await house.untilPublished();
    const seen = await idsOf();
    expect(seen.length).toBeGreaterThan(ids.length);
    expect(new Set(seen)).toEqual(new Set(ids));
  });

  it('given that the stream lost its end, of which they are, then they are found and told again as they were', async () => {
    const lost: number[] = [];
    const relay = house.startRelay();
    const ids = await fiveEvents();
    await house.untilPublished();
    const before = await storedEvents(house.connection);
    await relay.stop();
    await loseTail(house.connection, 2);
    house.startRelay({ onLost: (events) => lost.push(events) });
    await untilBack(ids);
    await house.untilPublished();
    expect(lost).toEqual([3]);
    expect(await storedEvents(house.connection)).toEqual(before);
  });

  it('given that the stream still has the notice that was told last, then nothing is taken for lost', async () => {
    const relay = house.startRelay();
    await fiveEvents();
    await house.untilPublished();
    await relay.stop();
    const lost = vi.fn();
    house.startRelay({ onLost: lost });
    await tell(4);
    await house.untilPublished();
    expect(await idsOf()).toHaveLength(6);
    expect(lost).not.toHaveBeenCalled();
  });

  it('given a rebuild, then they come again as they were, and count among the events', async () => {
    house.startRelay();
    await fiveEvents();
    await house.untilPublished();
    const before = await storedEvents(house.connection);
    await (await house.connection.jetstreamManager()).streams.purge(STREAM);
    expect(await rebuild({ databaseUrl: house.databaseUrl, schema: SCHEMA, patienceMs: 5_000 })).toBe(5);
    expect(await storedEvents(house.connection)).toEqual(before);
  });
});
