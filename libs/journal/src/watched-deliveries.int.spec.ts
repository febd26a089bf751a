import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { doors, type Doors } from './testing/door.js';
import { WatchedDeliveries } from './watched-deliveries.js';

let house: Doors;
beforeAll(async () => {
  house = await doors();
});
afterAll(() => house.stop());

const reader = () => new WatchedDeliveries(house.dataSource, randomUUID());

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
});
