import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { wakeChannel } from './journal.js';
import { rebuild } from './rebuild.js';
import { TELL_AGAIN, type Relay } from './relay.js';
import { doors, openDoors, SCHEMA, storedEvents, STREAM, type Doors } from './testing/door.js';

let house: Doors;
let relay: Relay;

beforeEach(async () => {
  house = await doors();
  relay = house.startRelay();
});
afterEach(() => house.stop());

const run = (since?: string) => rebuild({ databaseUrl: house.databaseUrl, schema: SCHEMA, since, patienceMs: 5_000 });
const byId = async () => new Map((await storedEvents(house.connection)).map((event) => [event.id, event]));

describe('a rebuild', () => {
  it('given a stream purged while the service is writing, then the same events are in it again, and the new ones', async () => {
    for (let row = 0; row < 60; row++) await openDoors(house.journal(), 20);
    await house.untilPublished();
    const before = await byId();
    expect(before.size).toBe(1_200);
    await (await house.connection.jetstreamManager()).streams.purge(STREAM);

    const written: string[] = [];
    let writing = true;
    const writer = (async () => {
      while (writing) written.push(...(await openDoors(house.journal(), 5)));
    })();
    const events = await run();
    writing = false;
    await writer;
    await house.untilPublished();

    expect(events).toBeGreaterThanOrEqual(1_200);
    const after = await byId();
    for (const [id, event] of before) expect(after.get(id)).toEqual(event);
    for (const id of written) expect(after.has(`door.${id}.1`)).toBe(true);
    expect(after.size).toBe(1_200 + written.length);
  });

  it('given nothing but a relay of its own, then it is done and says how many events there were; once more changes nothing', async () => {
    await openDoors(house.journal(), 700);
    await house.untilPublished();
    await relay.stop();
    house.startRelay();
    expect(await run()).toBe(700);
    expect(await run()).toBe(700);
    expect((await byId()).size).toBe(700);
    expect(await storedEvents(house.connection)).toHaveLength(2_100);
  });

  it('given that it is asked for again and again while it goes on, then what is on its way is not told twice', async () => {
    for (let row = 0; row < 400; row++) await openDoors(house.journal(), 2);
    await house.untilPublished();
    let going = true;
    const asking = (async () => {
      while (going) await house.dataSource.query('SELECT pg_notify($1, $2)', [wakeChannel(SCHEMA), TELL_AGAIN]);
    })();
    expect(await run()).toBe(800);
    going = false;
    await asking;
    expect(await storedEvents(house.connection)).toHaveLength(1_600);
  });

  it('given a first day, then what was told before it stays where it is', async () => {
    const yesterday = new Date(Date.now() - 86_400_000).toISOString().slice(0, 10);
    await openDoors(house.journal(), 30);
    await house.untilPublished();
    await house.dataSource.query('UPDATE journal SET day = $1', [yesterday]);
    await openDoors(house.journal(), 7);
    await house.untilPublished();
    expect(await run(new Date().toISOString().slice(0, 10))).toBe(7);
    expect(await run(yesterday)).toBe(37);
    expect(await run('2999-01-01')).toBe(0);
  });

  it('given no relay that could do it, then it fails in one line', async () => {
    await openDoors(house.journal(), 1);
    await house.untilPublished();
    await relay.stop();
    await expect(rebuild({ databaseUrl: house.databaseUrl, schema: SCHEMA, patienceMs: 500 })).rejects.toThrow(
      'no event was published for 0.5 s: does the bus take events?',
    );
  });
});
