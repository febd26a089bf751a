import { describe, expect, it } from 'vitest';
import type { Database } from './database.ts';
import { Deadlines } from './deadlines.ts';

describe('the watch over deadlines', () => {
  it('given something overdue and a fault, then it is told only once the fault is over and no message waits, and is late from then on', async () => {
    const now = { calm: false, idle: false };
    const asked: string[] = [];
    const excused = new Set<number>();
    const database = {
      query: async (sql: string, [, until]: [number, Date]) => {
        if (sql.includes('count(*)')) return [{ count: 2 }];
        excused.add(until.getTime());
        return [{ what: 'due_at of a job', id: 'j', seconds: 6 + asked.push(''), at: asked.length }];
      },
    } as unknown as Database;
    const deadlines = new Deadlines(
      database,
      async () => now.calm,
      async () => {
        asked.push('idle?');
        return now.idle;
      },
    );
    const watching = new AbortController();
    const watched = deadlines.watch(watching.signal);

    await expect.poll(() => deadlines.excuses).toMatchObject([{ to: Infinity }]);
    now.calm = true;
    await expect.poll(() => asked.length).toBeGreaterThan(0);
    expect([deadlines.looks, deadlines.overdue, deadlines.isStrict]).toEqual([0, [], false]);
    now.idle = true;
    await expect.poll(() => deadlines.looks).toBeGreaterThan(1);
    expect([deadlines.due, deadlines.isStrict]).toEqual([2 * deadlines.looks, true]);
    now.calm = false;
    await expect.poll(() => deadlines.excuses.length).toBe(2);
    watching.abort();
    await watched;

    expect(deadlines.overdue).toHaveLength(1);
    expect(deadlines.overdue[0]).toMatchObject({ what: 'due_at of a job', id: 'j', at: asked.length });
    expect([...excused]).toEqual([deadlines.excuses[0]!.to]);
    expect(deadlines.excuses.every(({ from, to }) => from <= to && to < Infinity)).toBe(true);
    expect(deadlines.excuses[0]!.to).toBeLessThan(deadlines.excuses[1]!.from);
  });

  it('given that nobody can say whether all is calm, then that counts as a fault', async () => {
    const fails = () => Promise.reject(new Error('no answer'));
    const deadlines = new Deadlines({} as Database, fails, fails);
    const watching = new AbortController();
    const watched = deadlines.watch(watching.signal);
    await expect.poll(() => deadlines.excuses.length).toBe(1);
    watching.abort();
    await watched;
    expect(deadlines.looks).toBe(0);
  });
});
