import { randomUUID } from 'node:crypto';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { doors, type Doors } from './testing/door.js';
import { WatchedDeliveries } from './watched-deliveries.js';

let house: Doors;
beforeAll(async () => {
  house = await doors();
});
afterAll(() => house.stop());

const readers: WatchedDeliveries[] = [];
afterEach(() => Promise.all(readers.splice(0).map((each) => each.close())));

/** A process; `reach` fails while its database is away. */
const reader = (reach: (sql: string) => void = () => undefined) => {
  const query = async (sql: string, parameters: unknown[]) => {
    reach(sql);
    return house.dataSource.query<unknown>(sql, parameters);
  };
  const made = new WatchedDeliveries({ query }, randomUUID());
  readers.push(made);
  return made;
};

describe('deliveries under watch', () => {
  it('given readers that began and never ended, then the next one is told how many were lost, of those messages alone', async () => {
    await reader().begin(['poison', 'company']);
    await reader().begin(['poison']);
    const next = reader();
    expect(await next.lostReaders(['poison', 'company', 'other'])).toEqual(
      new Map([
        ['poison', 2],
        ['company', 1],
      ]),
    );
    await next.begin(['poison']);
    expect(await reader().lostReaders(['poison'])).toEqual(new Map([['poison', 3]]));
  });

  it('given a reader that could not say that it had ended, then that counts for nothing with itself', async () => {
    const one = reader();
    await one.begin(['a']);
    await one.begin(['a']);
    expect(await one.lostReaders(['a'])).toEqual(new Map());
    expect(await reader().lostReaders(['a'])).toEqual(new Map([['a', 1]]));
  });

  it('given that handling ended, then nothing is left of it', async () => {
    await reader().begin(['b']);
    const one = reader();
    await one.begin(['b', 'c']);
    await one.end(['b', 'c']);
    expect(await reader().lostReaders(['b', 'c'])).toEqual(new Map());
  });

  it('given messages that nobody saw for a week, then they are forgotten', async () => {
    await reader().begin(['old', 'again']);
    await house.dataSource.query(`UPDATE watched_delivery SET since = now() - interval '8 days'`);
    await reader().begin(['again']);
    expect(await reader().lostReaders(['old', 'again'])).toEqual(new Map([['again', 2]]));
  });

  it('given readers that live and whose database goes away whenever they are done, then none of them is counted as lost', async () => {
    let away = false;
    const flapping = () => {
      if (away) throw new Error('the database is away');
    };
    const replicas = [reader(flapping), reader(flapping)];
    for (let round = 0; round < 8; round++) {
      const replica = replicas[round % 2]!;
      const lost = await replica.lostReaders(['healthy']);
      // The other one may have had no time to say that it is done, but it adds up to nothing.
      expect(lost.get('healthy') ?? 0).toBeLessThanOrEqual(1);
      await replica.begin(['healthy']);
      away = true;
      await expect(replica.end(['healthy'])).rejects.toThrow('away');
      away = false;
    }
  });

  it('given an end that could not be said, then it is said by itself when the database is back', async () => {
    let failures = 2;
    const one = reader((sql) => {
      if (sql.startsWith('DELETE') && failures-- > 0) throw new Error('the database is away');
    });
    await one.begin(['late']);
    await expect(one.end(['late'])).rejects.toThrow('away');
    expect(await reader().lostReaders(['late'])).toEqual(new Map([['late', 1]]));
    await vi.waitUntil(async () => (await reader().lostReaders(['late'])).size === 0, { timeout: 10_000 });
  });

  it('given a beginning whose answer was lost, then a reader that is stopped leaves nothing behind', async () => {
    let cut = true;
    const query = async (sql: string, parameters: unknown[]) => {
      const rows = await house.dataSource.query<unknown>(sql, parameters);
      if (cut) throw new Error('the connection was cut');
      return rows;
    };
    const one = new WatchedDeliveries({ query }, randomUUID());
    await expect(one.begin(['unsure'])).rejects.toThrow('cut');
    expect(await reader().lostReaders(['unsure'])).toEqual(new Map([['unsure', 1]]));
    cut = false;
    await one.close();
    expect(await reader().lostReaders(['unsure'])).toEqual(new Map());
  });
});
