import { jobWork, MAX_WORK_BYTES } from '@muster/contracts';
import fc from 'fast-check';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { v7 as uuid } from 'uuid';
import { Journal } from './journal.js';
import type { Move } from './move.js';
import { expandMove } from './testing/moves.js';
import { doors, doorTable, openDoors, PROJECT, SCHEMA, type Doors } from './testing/door.js';

let house: Doors;

beforeAll(async () => {
  house = await doors();
});
afterAll(() => house.stop());
beforeEach(() => house.dataSource.query('TRUNCATE journal, door'));

const states = async () => {
  const rows = await house.dataSource.query<{ id: string; state: string; version: number }[]>(
    'SELECT id, state, version FROM door',
  );
  return new Map(rows.map((row) => [row.id, row]));
};

const journalled = async () => {
  const rows = await house.dataSource.query<{ transitions: Move[] }[]>('SELECT transitions FROM journal ORDER BY seq');
  return rows.flatMap((row) => row.transitions.flatMap(expandMove));
};

/** The work messages of the journal's one row, as they will be published. */
const work = async () => {
  const [row] = await house.dataSource.query<{ work: { body: string }[] }[]>('SELECT work FROM journal');
  return row!.work.map(({ body }) => JSON.parse(body) as { items: unknown[] });
};

describe('a guarded batch transition', () => {
  it('given doors of which one is locked, when all are closed, then only those that may move do, and the journal says exactly that', async () => {
    const journal = house.journal();
    const [open, locked] = (await openDoors(journal, 2)) as [string, string];
    for (const state of ['Closed', 'Locked'] as const) {
      await journal.transaction(PROJECT, (tx) => tx.transition(doorTable, state, { ids: [locked] }));
    }

    const moved = await journal.transaction(PROJECT, (tx) =>
      tx.transition(doorTable, 'Closed', { ids: [open, locked], set: { reason: 'night' } }),
    );

    expect(moved).toMatchObject([{ id: open, from: 'Open', version: 2 }]);
    expect((await states()).get(locked)).toMatchObject({ state: 'Locked', version: 3 });
    expect((await journalled()).at(-1)).toMatchObject({
      entity: 'door',
      id: open,
      from: 'Open',
      to: 'Closed',
      version: 2,
      reason: 'night',
      data: { house: 'red' },
    });
  });

  it('given a door, when the same move comes twice, then the second changes nothing and is not journalled', async () => {
    const journal = house.journal();
    const ids = await openDoors(journal, 1);
    const close = () => journal.transaction(PROJECT, (tx) => tx.transition(doorTable, 'Closed', { ids }));
    await close();
    expect(await close()).toEqual([]);
    expect(await journalled()).toHaveLength(2);
  });

  it('given a door, when it is created again with the same id, then nothing happens', async () => {
    const journal = house.journal();
    const [id] = (await openDoors(journal, 1)) as [string];
    const again = await journal.transaction(PROJECT, (tx) => tx.create(doorTable, { id: [id], house: ['blue'] }));
    expect(again).toEqual([]);
    expect(await journalled()).toHaveLength(1);
  });

  it('given a door, then its row keeps every state with its time, oldest first', async () => {
    const journal = house.journal();
    const ids = await openDoors(journal, 1);
    await journal.transaction(PROJECT, (tx) => tx.transition(doorTable, 'Closed', { ids }));
    const [row] =
      await house.dataSource.query<{ activity: { state: string; at: string }[] }[]>('SELECT activity FROM door');
    expect(row!.activity.map((entry) => entry.state)).toEqual(['Open', 'Closed']);
    expect(Date.parse(row!.activity[0]!.at)).toBeLessThanOrEqual(Date.parse(row!.activity[1]!.at));
  });

  it('given a door of another project, when it is moved by its id, then it stays', async () => {
    const journal = house.journal();
    const ids = await openDoors(journal, 1);
    expect(await journal.transaction('other', (tx) => tx.transition(doorTable, 'Closed', { ids }))).toEqual([]);
  });

  it('given a guard over values of each row, then only the rows that fit move', async () => {
    const journal = house.journal();
    const ids = await openDoors(journal, 2);
    const moved = await journal.transaction(PROJECT, (tx) =>
      tx.transition(doorTable, 'Closed', {
        ids,
        given: { colour: { type: 'text', values: ['red', 'green'] } },
        guard: 't.house = i.colour',
      }),
    );
    expect(moved.map((door) => door.id)).toEqual([ids[0]]);
  });

  it('given a move that the lifecycle does not know, then it is refused before anything happens', async () => {
    const journal = house.journal();
    const ids = await openDoors(journal, 1);
    const move = journal.transaction(PROJECT, (tx) => tx.transition(doorTable, 'Locked', { ids, from: ['Open'] }));
    await expect(move).rejects.toThrow('Open does not lead to Locked');
  });

  it.each(['before_journal', 'before_commit'] as const)(
    'given a crash %s, then neither state nor journal shows anything',
    async (crash) => {
      const ids = await openDoors(house.journal(), 3);
      const journal = house.journal((point) => {
        if (point === crash) throw new Error('crash');
      });
      await expect(journal.transaction(PROJECT, (tx) => tx.transition(doorTable, 'Closed', { ids }))).rejects.toThrow(
        'crash',
      );
      expect([...(await states()).values()].every((door) => door.state === 'Open')).toBe(true);
      expect(await journalled()).toHaveLength(3);
    },
  );

  it('given a crash after the commit, then state and journal agree, and what was to follow from it is not run', async () => {
    const ids = await openDoors(house.journal(), 3);
    const journal = house.journal((point) => {
      if (point === 'after_commit') throw new Error('crash');
    });
    let called = false;
    const crashed = journal.transaction(PROJECT, async (tx) => {
      await tx.transition(doorTable, 'Closed', { ids });
      tx.afterCommit(() => (called = true));
    });
    await expect(crashed).rejects.toThrow('crash');
    expect([...(await states()).values()].every((door) => door.state === 'Closed')).toBe(true);
    expect(await journalled()).toHaveLength(6);
    expect(called).toBe(false);
  });

  it('given batches that overlap in opposite orders at once, then each door moves once and nothing deadlocks', async () => {
    const journal = house.journal();
    const ids = await openDoors(journal, 200);
    const batches = Array.from({ length: 8 }, (_, index) => (index % 2 ? ids : [...ids].reverse()));
    const moved = await Promise.all(
      batches.map((batch) => journal.transaction(PROJECT, (tx) => tx.transition(doorTable, 'Closed', { ids: batch }))),
    );
    expect(moved.flat()).toHaveLength(200);
  });

  it('given any moves at once, with repetitions and in any order, then versions rise by one and the journal equals the rows', async () => {
    const journal = house.journal();
    await fc.assert(
      fc.asyncProperty(
        fc.array(
          fc.record({
            to: fc.constantFrom('Open' as const, 'Closed' as const, 'Locked' as const),
            who: fc.subarray([0, 1, 2, 3, 4], { minLength: 1 }),
          }),
          {
            minLength: 1,
            maxLength: 20,
          },
        ),
        async (moves) => {
          await house.dataSource.query('TRUNCATE journal, door');
          const ids = await openDoors(journal, 5);
          await Promise.all(
            moves.map(({ to, who }) =>
              journal.transaction(PROJECT, (tx) =>
                tx.transition(doorTable, to, { ids: who.map((index) => ids[index]!) }),
              ),
            ),
          );
          const entries = await journalled();
          for (const [id, row] of await states()) {
            const own = entries.filter((entry) => entry.id === id);
            expect(own.map((entry) => entry.version)).toEqual(own.map((_, index) => index + 1));
            expect(own.slice(1).map((entry) => entry.from)).toEqual(own.slice(0, -1).map((entry) => entry.to));
            expect(own.at(-1)).toMatchObject({ to: row.state, version: row.version });
          }
        },
      ),
      { numRuns: 15 },
    );
  });

  it('given more work than one message may hold, then it is split', async () => {
    const journal = house.journal();
    const items = Array.from({ length: 1_201 }, () => ({
      command_id: uuid(),
      ref: uuid(),
      status: 'SUCCESS' as const,
      reason: '',
      code: '',
      sent: true,
    }));
    await journal.transaction(PROJECT, async (tx) => tx.work(jobWork.outcome, { request_id: uuid() }, items));
    expect((await work()).map((message) => message.items.length)).toEqual([500, 500, 201]);
  });

  it('given items that are large together, then they are split by their bytes, in their order, and a larger one goes alone', async () => {
    const sizes = [...Array.from({ length: 12 }, () => 50_000), MAX_WORK_BYTES, 10];
    const items = sizes.map((size) => ({
      command_id: uuid(),
      ref: uuid(),
      status: 'SUCCESS' as const,
      reason: 'é'.repeat(size),
      code: '',
      sent: true,
    }));
    await house.journal().transaction(PROJECT, async (tx) => tx.work(jobWork.outcome, { request_id: uuid() }, items));
    const messages = await work();
    expect(messages.map((message) => message.items.length)).toEqual([5, 5, 2, 1, 1]);
    expect(messages.flatMap((message) => message.items)).toEqual(items);
  });

  it('given a callback that throws after the commit, then the transaction stands, the others run, and the error is told', async () => {
    const errors: unknown[] = [];
    const journal = new Journal(house.dataSource, { schema: SCHEMA, onError: (error) => errors.push(error) });
    const failure = new Error('the bus is away');
    let ran = false;
    const result = await journal.transaction(PROJECT, async (tx) => {
      await tx.create(doorTable, { id: [uuid()], house: ['red'] });
      tx.afterCommit(() => {
        throw failure;
      });
      tx.afterCommit(() => (ran = true));
      return 'done';
    });
    expect(result).toBe('done');
    expect(ran).toBe(true);
    expect(errors).toEqual([failure]);
    expect(await journalled()).toHaveLength(1);
  });

  it('given a transaction that began first and moves last, then the times of a door do not run backwards', async () => {
    const journal = house.journal();
    const ids = await openDoors(journal, 2);
    await journal.transaction(PROJECT, async (tx) => {
      await tx.query('SELECT 1');
      await journal.transaction(PROJECT, (other) => other.transition(doorTable, 'Closed', { ids }));
      await tx.transition(doorTable, 'Locked', { ids });
    });
    const rows = await house.dataSource.query<{ state_at: Date; activity: { state: string; at: string }[] }[]>(
      'SELECT state_at, activity FROM door',
    );
    for (const { state_at, activity } of rows) {
      const times = activity.map(({ at }) => Date.parse(at));
      expect(times).toEqual([...times].sort((a, b) => a - b));
      expect(times).toHaveLength(3);
      expect(times.at(-1)).toBe(state_at.getTime());
    }
    const told = await journalled();
    for (const id of ids) {
      const times = told.filter((transition) => transition.id === id).map(({ at }) => at);
      expect(times).toEqual([...times].sort((a, b) => a - b));
    }
  });
});
