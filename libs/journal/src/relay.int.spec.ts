import { defineWork, jobWork } from '@muster/contracts';
import { DiscardPolicy } from 'nats';
import Type from 'typebox';
import { v7 as uuid } from 'uuid';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { doors, doorTable, openDoors, PROJECT, SERVICE, storedEvents, versions, type Doors } from './testing/door.js';
import type { DeadLetter } from './dead-letters.js';

const paint = defineWork(SERVICE, 'paint', { colour: Type.String() }, { door: Type.String() });

let house: Doors;

beforeEach(async () => {
  house = await doors();
});
afterEach(() => house.stop());

const close = (ids: string[]) =>
  house.journal().transaction(PROJECT, (tx) => tx.transition(doorTable, 'Closed', { ids }));
const gapless = (events: Awaited<ReturnType<typeof storedEvents>>, ids: string[], upTo: number) => {
  const seen = versions(events);
  for (const id of ids) expect(seen.get(id)).toEqual(Array.from({ length: upTo }, (_, index) => index + 1));
};

describe('the relay', () => {
  it('given transitions, then each is one event, in order, on its subject, and the journal is marked', async () => {
    house.startRelay();
    const ids = await openDoors(house.journal(), 700);
    await close(ids);
    await house.untilPublished();
    const events = await storedEvents(house.connection);
    expect(events).toHaveLength(1_400);
    gapless(events, ids, 2);
    expect(events[0]).toMatchObject({
      specversion: '1.0',
      source: '/muster/job-planner',
      data: { project_id: PROJECT, house: 'red', from: null, to: 'Open' },
    });
  });

  it('given work in the journal, then it reaches its consumer as it was written', async () => {
    house.startRelay();
    const item = { command_id: uuid(), ref: uuid(), status: 'SUCCESS' as const, reason: '', code: '', sent: true };
    await house
      .journal()
      .transaction(PROJECT, async (tx) => tx.work(jobWork.outcome, { request_id: item.ref }, [item]));
    await house.untilPublished();
    const manager = await house.connection.jetstreamManager();
    const message = await manager.streams.getMessage('MUSTER_WORK', { seq: 1 });
    expect(message.json()).toEqual({ project_id: PROJECT, head: { request_id: item.ref }, items: [item] });
  });

  it('given work larger than the bus carries, then it is kept as a dead letter, once, and what is behind it goes out', async () => {
    const blob = 'x'.repeat(house.connection.info!.max_payload);
    const item = { door: uuid() };
    await house.journal().transaction(PROJECT, async (tx) => {
      tx.work(paint, { colour: blob }, [item]);
      tx.work(paint, { colour: 'blue' }, [item]);
    });
    const parked: DeadLetter[] = [];
    let crashes = 1;
    house.startRelay({
      onParked: (letter) => parked.push(letter),
      fault: (at) => {
        if (at === 'before_mark' && crashes-- > 0) throw new Error('crash');
      },
    });
    await house.untilPublished();

    const letters = await house.dataSource.query<
      { subject: string; headers: object; payload: Buffer; reason: string }[]
    >('SELECT subject, headers, payload, reason FROM dead_letter');
    expect(letters).toHaveLength(1);
    expect(letters[0]).toMatchObject({
      subject: paint.subject,
      headers: { 'Nats-Msg-Id': expect.stringMatching(/^job_planner\.\d+\.0$/) as string },
      reason: expect.stringMatching(/^larger than the bus carries: \d+ bytes$/) as string,
    });
    expect(JSON.parse(letters[0]!.payload.toString())).toEqual({
      project_id: PROJECT,
      head: { colour: blob },
      items: [item],
    });
    await vi.waitUntil(() => parked.length === 1);
    const manager = await house.connection.jetstreamManager();
    const message = await manager.streams.getMessage('MUSTER_WORK', { seq: 1 });
    expect(message.json()).toEqual({ project_id: PROJECT, head: { colour: 'blue' }, items: [item] });
  });

  it('given work that does not go at first, then the events beside it are not sent again', async () => {
    const manager = await house.connection.jetstreamManager();
    await manager.streams.delete('MUSTER_WORK');
    const id = uuid();
    await house.journal().transaction(PROJECT, async (tx) => {
      await tx.create(doorTable, { id: [id], house: ['red'] });
      tx.work(paint, { colour: 'red' }, [{ door: id }]);
    });
    let failures = 0;
    house.startRelay({
      ensureStreams: async () => {
        if (failures === 3) await house.ensureStreams();
      },
      onError: () => failures++,
    });
    await house.untilPublished();
    expect(failures).toBeGreaterThanOrEqual(3);
    expect((await storedEvents(house.connection)).map(({ data }) => data.id)).toEqual([id]);
  });

  it.each([
    ['every row', 80],
    ['the first page alone', 32],
  ])(
    'given work of %s that its full stream refuses again and again, then no event is sent more than twice, and all goes on when there is room',
    async (_whose, withWork) => {
      const manager = await house.connection.jetstreamManager();
      const { config } = await manager.streams.info('MUSTER_WORK');
      await manager.streams.update('MUSTER_WORK', { ...config, discard: DiscardPolicy.New, max_bytes: 1 });
      const ids = Array.from({ length: 80 }, () => uuid());
      for (const [index, id] of ids.entries()) {
        await house.journal().transaction(PROJECT, async (tx) => {
          await tx.create(doorTable, { id: [id], house: ['red'] });
          if (index < withWork) tx.work(paint, { colour: 'red' }, [{ door: id }]);
        });
      }
      const refusals: unknown[] = [];
      // The streams are there, the one of work otherwise than they are made here.
      house.startRelay({ ensureStreams: async () => undefined, onError: (error) => refusals.push(error) });
      await vi.waitUntil(() => refusals.length >= 5, { timeout: 20_000 });
      for (const error of refusals)
        expect(error).toMatchObject({ chainedError: { message: 'maximum bytes exceeded' } });
      await manager.streams.update('MUSTER_WORK', { ...config, discard: DiscardPolicy.New, max_bytes: -1 });
      await house.untilPublished();

      const events = await storedEvents(house.connection);
      gapless(events, ids, 1);
      for (const id of ids) expect(events.filter(({ data }) => data.id === id).length).toBeLessThanOrEqual(2);
      expect((await manager.streams.info('MUSTER_WORK')).state.messages).toBe(withWork);
    },
    40_000,
  );

  it.each(['before_publish', 'before_mark', 'after_mark'] as const)(
    'given a crash %s, then nothing is lost',
    async (point) => {
      const ids = await openDoors(house.journal(), 300);
      let crashes = 2;
      house.startRelay({
        fault: (at) => {
          if (at === point && crashes-- > 0) throw new Error('crash');
        },
      });
      await close(ids);
      await house.untilPublished();
      gapless(await storedEvents(house.connection), ids, 2);
      expect(crashes).toBeLessThan(2);
    },
  );

  it('given two relays, then one works and the other takes over when it goes', async () => {
    const count = [0, 0];
    const first = house.startRelay({ onPublished: (events) => (count[0]! += events) });
    const ids = await openDoors(house.journal(), 100);
    await house.untilPublished();
    house.startRelay({ onPublished: (events) => (count[1]! += events) });
    await close(ids);
    await house.untilPublished();
    expect(count).toEqual([200, 0]);

    await first.stop();
    const more = await openDoors(house.journal(), 50);
    await house.untilPublished();
    await vi.waitUntil(() => count[1] === 50);
    gapless(await storedEvents(house.connection), [...ids], 2);
    gapless(await storedEvents(house.connection), more, 1);
  });

  it('given somebody else who writes to the stream in the middle of a run, then no event is missing', async () => {
    house.startRelay();
    const ids = await openDoors(house.journal(), 10);
    await house.untilPublished();
    await house.connection
      .jetstream()
      .publish('muster.evt.acme.door.Open.intruder', JSON.stringify({ data: { id: 'intruder', version: 1 } }));
    await close(ids);
    await house.untilPublished();
    gapless(await storedEvents(house.connection), ids, 2);
  });

  it('given a database session that is cut off, then the relay is elected again and nothing is lost', async () => {
    house.startRelay();
    const ids = await openDoors(house.journal(), 50);
    await house.untilPublished();
    await house.dataSource.query(
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE '%relay' AND datname = current_database()`,
    );
    await close(ids);
    await house.untilPublished();
    gapless(await storedEvents(house.connection), ids, 2);
  });
});
