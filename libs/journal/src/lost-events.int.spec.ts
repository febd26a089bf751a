import { defineWork } from '@muster/contracts';
import Type from 'typebox';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import {
  doors,
  doorTable,
  loseTail,
  openDoors,
  PROJECT,
  SERVICE,
  storedEvents,
  STREAM,
  type Doors,
} from './testing/door.js';

const paint = defineWork(SERVICE, 'paint', { colour: Type.String() }, { door: Type.String() });

let house: Doors;

beforeEach(async () => {
  house = await doors();
});
afterEach(() => house.stop());

const idsOf = async () => (await storedEvents(house.connection)).map(({ id }) => id);
/** The stream has each of these events. */
const untilBack = (events: readonly string[]) =>
  vi.waitUntil(
    async () => {
      const there = new Set(await idsOf().catch(() => []));
      return events.every((id) => there.has(id));
    },
    { timeout: 20_000, interval: 100 },
  );
const restartBus = async () => {
  await house.nats.kill();
  await house.nats.revive();
};
/** Ten rows of thirty events each, published. */
const tenRows = async () => {
  for (let row = 0; row < 10; row++) await openDoors(house.journal(), 30);
  await house.untilPublished();
  const ids = await idsOf();
  expect(ids).toHaveLength(300);
  return ids;
};

describe('a stream that lost its end', () => {
  it('given an idle relay and a bus that comes back without the last events, then those come again, and their work does not', async () => {
    const lost: number[] = [];
    house.startRelay({ onLost: (events) => lost.push(events) });
    const before = await tenRows();
    await house.journal().transaction(PROJECT, async (tx) => {
      tx.work(paint, { colour: 'red' }, [{ door: 'front' }]);
      await tx.create(doorTable, { id: [crypto.randomUUID()], house: ['red'] });
    });
    await house.untilPublished();
    const all = await idsOf();
    await loseTail(house.connection, 100);
    await restartBus();

    await untilBack(all);
    await house.untilPublished();
    // Three whole rows are held; the fourth begins in what is held, so its ten come twice.
    expect(await idsOf()).toEqual([...before.slice(0, 100), ...all.slice(90)]);
    expect(lost).toEqual([211]);
    const manager = await house.connection.jetstreamManager();
    expect((await manager.streams.info('MUSTER_WORK')).state.last_seq).toBe(1);
  });

  it('given other events in the places of the lost ones, then they come again all the same', async () => {
    await house.startRelay().stop();
    const relay = house.startRelay();
    const before = await tenRows();
    await relay.stop();
    await loseTail(house.connection, 100);
    for (let index = 0; index < 300; index++)
      await house.connection.jetstream().publish('muster.evt.acme.door.Open.x', JSON.stringify({ id: `x.${index}` }));
    house.startRelay();
    await untilBack(before);
  });

  it('given nothing lost, then a relay that starts anew tells nothing twice', async () => {
    const relay = house.startRelay();
    const before = await tenRows();
    await relay.stop();
    const lost = vi.fn();
    house.startRelay({ onLost: lost });
    const [one] = await openDoors(house.journal(), 1);
    await house.untilPublished();
    expect(await idsOf()).toEqual([...before, `door.${one}.1`]);
    expect(lost).not.toHaveBeenCalled();
  });

  it('given a stream deleted under an idle relay, when something new happens, then all comes again and the new is not held up', async () => {
    house.startRelay();
    const before = await tenRows();
    await (await house.connection.jetstreamManager()).streams.delete(STREAM);
    const [later] = (await openDoors(house.journal(), 1)) as [string];
    await untilBack([...before, `door.${later}.1`]);
    await house.untilPublished();
    expect((await idsOf()).indexOf(`door.${later}.1`)).toBeLessThanOrEqual(300);

    // Its sequences begin at 1 again; what is lost of them is found by the same rule.
    await loseTail(house.connection, 50);
    await restartBus();
    await untilBack([...before, `door.${later}.1`]);
  });

  it.each(['before_publish', 'before_mark', 'after_mark'] as const)(
    'given a crash %s while events are told again, then all of them come',
    async (point) => {
      const relay = house.startRelay();
      // More rows than one page has.
      for (let row = 0; row < 80; row++) await openDoors(house.journal(), 2);
      await house.untilPublished();
      const before = await idsOf();
      await relay.stop();
      await loseTail(house.connection, 0);
      let pages = 0;
      house.startRelay({
        fault: (at) => {
          if (at === point && ++pages <= 2) throw new Error('crash');
        },
      });
      await untilBack(before);
      await house.untilPublished();
      expect(pages).toBeGreaterThanOrEqual(3);
    },
  );

  it('given events that the stream dropped for its age, then they are not taken for lost', async () => {
    const relay = house.startRelay();
    await tenRows();
    await relay.stop();
    await (await house.connection.jetstreamManager()).streams.purge(STREAM);
    const lost = vi.fn();
    house.startRelay({ onLost: lost });
    const [one] = await openDoors(house.journal(), 1);
    await house.untilPublished();
    expect(await idsOf()).toEqual([`door.${one}.1`]);
    expect(lost).not.toHaveBeenCalled();
  });
});
