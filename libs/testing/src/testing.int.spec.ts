import { connect } from 'nats';
import pg from 'pg';
import { isAlive } from '@muster/servers';
import { describe, expect, it } from 'vitest';
import { testNats, testPostgres } from './index.js';

const connectTo = async (url: string) => {
  const client = new pg.Client({ connectionString: url });
  client.on('error', () => undefined);
  await client.connect();
  return client;
};

describe('testPostgres', () => {
  it('given two databases, when a table is made in one, then the other is still empty, and both are gone after stop', async () => {
    const postgres = await testPostgres();
    const [one, two] = [await postgres.createDatabase(), await postgres.createDatabase()];
    const first = await connectTo(one);
    const second = await connectTo(two);

    await first.query('create table made (id int)');
    const found = await second.query(`select to_regclass('made') as made`);
    await second.end();
    await postgres.stop();

    expect(found.rows).toEqual([{ made: null }]);
    await expect(connectTo(one)).rejects.toThrow('does not exist');
    await expect(connectTo(two)).rejects.toThrow('does not exist');
  });
});

describe('testNats', () => {
  it('given a server, when a stream is made, then it is there, and the server is gone after stop', async () => {
    const nats = await testNats();
    const connection = await connect({ servers: nats.url });
    const manager = await connection.jetstreamManager();

    await manager.streams.add({ name: 'MADE', subjects: ['made'] });
    const streams = await manager.streams.list().next();
    await connection.close();
    await nats.stop();

    expect(streams.map(({ config }) => config.name)).toEqual(['MADE']);
    expect(isAlive(nats.pid)).toBe(false);
  });

  it('given a server that was killed, when it is revived, then it has its address and its streams again', async () => {
    const nats = await testNats();
    const { url, pid } = nats;
    const add = await connect({ servers: url });
    await (await add.jetstreamManager()).streams.add({ name: 'KEPT', subjects: ['kept'] });
    await add.close();

    await nats.kill();
    expect(isAlive(pid)).toBe(false);
    await nats.revive();

    const connection = await connect({ servers: nats.url });
    const kept = await (await connection.jetstreamManager()).streams.info('KEPT');
    await connection.close();
    await nats.stop();
    expect(kept.config.name).toBe('KEPT');
    expect(nats.url).toBe(url);
    expect(isAlive(nats.pid)).toBe(false);
  });
});
