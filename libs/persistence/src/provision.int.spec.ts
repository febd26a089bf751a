import { testPostgres, type TestPostgres } from '@muster/testing';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { provision } from './provision.js';

let postgres: TestPostgres;
let adminUrl: string;
let urls: Record<string, string>;
const open: pg.Client[] = [];

const as = async (url: string): Promise<pg.Client> => {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  open.push(client);
  return client;
};

let orders: pg.Client;
let billing: pg.Client;

beforeAll(async () => {
  postgres = await testPostgres();
  adminUrl = await postgres.createDatabase();
  urls = await provision(adminUrl, [
    { name: 'order-desk', password: "it's/a:secret@100%" },
    { name: 'billing', password: 'other' },
  ]);
  orders = await as(urls['order-desk']!);
  billing = await as(urls['billing']!);
  await orders.query(`CREATE TABLE parcel (id int PRIMARY KEY, label text)`);
  await orders.query(`INSERT INTO parcel VALUES (1, 'secret')`);
  await orders.query(`CREATE SEQUENCE parcel_seq`);
  await orders.query(`CREATE FUNCTION parcels() RETURNS bigint LANGUAGE sql AS 'SELECT count(*) FROM parcel'`);
});

afterAll(async () => {
  await Promise.all(open.map((client) => client.end()));
  await postgres.stop();
});

describe("a service's role", () => {
  it('given its own schema, then it may do everything there, without naming it', async () => {
    const { rows } = await orders.query(`SELECT current_schema() AS schema, label FROM parcel`);
    expect(rows).toEqual([{ schema: 'order_desk', label: 'secret' }]);
    await orders.query(`CREATE TABLE spare (id int)`);
    await orders.query(`ALTER TABLE spare ADD COLUMN note text`);
    await orders.query(`UPDATE parcel SET label = 'changed'`);
    await orders.query(`DROP TABLE spare`);
  });

  it.each([
    ['read', `SELECT * FROM order_desk.parcel`],
    ['write', `INSERT INTO order_desk.parcel VALUES (2, 'mine')`],
    ['change', `UPDATE order_desk.parcel SET label = ''`],
    ['delete', `DELETE FROM order_desk.parcel`],
    ['empty', `TRUNCATE order_desk.parcel`],
    ['make a table', `CREATE TABLE order_desk.intruder (id int)`],
    ['make a view', `CREATE VIEW peep AS SELECT * FROM order_desk.parcel`],
    ['alter', `ALTER TABLE order_desk.parcel ADD COLUMN mine int`],
    ['drop', `DROP TABLE order_desk.parcel`],
    ['draw a number', `SELECT nextval('order_desk.parcel_seq')`],
    ['call a function', `SELECT order_desk.parcels()`],
    ['refer to a row', `CREATE TABLE bill (parcel int REFERENCES order_desk.parcel (id))`],
    ['give itself rights', `GRANT ALL ON SCHEMA order_desk TO CURRENT_USER`],
  ])("given another's schema, then it may not %s there", async (_what, sql) => {
    await expect(billing.query(sql)).rejects.toMatchObject({ code: '42501' });
  });

  it("given another's schema, then it is not told what is in it", async () => {
    const { rows } = await billing.query(
      `SELECT table_name FROM information_schema.tables WHERE table_schema = 'order_desk'`,
    );
    expect(rows).toEqual([]);
  });

  it.each([
    ['a database', `CREATE DATABASE intruder`],
    ['a role', `CREATE ROLE intruder`],
    ['a schema', `CREATE SCHEMA intruder`],
    ['a table for everyone', `CREATE TABLE public.intruder (id int)`],
  ])('given its rights, then it may not make %s', async (_what, sql) => {
    await expect(billing.query(sql)).rejects.toMatchObject({ code: '42501' });
  });

  it('given the role of another service, then it may not take it', async () => {
    const { user } = orders;
    await expect(billing.query(`SET ROLE ${billing.escapeIdentifier(user!)}`)).rejects.toMatchObject({ code: '42501' });
  });
});

describe('provision', () => {
  it('given that it is run again, then nothing is lost and the new password is in force', async () => {
    const again = await provision(adminUrl, [{ name: 'order-desk', password: 'new' }]);
    const { rows } = await (await as(again['order-desk']!)).query(`SELECT count(*)::int AS parcels FROM parcel`);
    expect(rows).toEqual([{ parcels: 1 }]);
    await expect(as(urls['order-desk']!)).rejects.toMatchObject({ code: '28P01' });
  });

  it('given an administrator that is no superuser, then it works the same', async () => {
    const admin = await as(adminUrl);
    const name = `${new URL(adminUrl).pathname.slice(1)}_owner`;
    await admin.query(`CREATE ROLE ${name} LOGIN CREATEROLE PASSWORD 'x'`);
    await admin.query(`ALTER DATABASE ${admin.escapeIdentifier(admin.database!)} OWNER TO ${name}`);
    const url = new URL(adminUrl);
    url.username = name;
    url.password = 'x';
    const made = await provision(url.href, [{ name: 'managed', password: 'y' }]);
    const client = await as(made['managed']!);
    await client.query(`CREATE TABLE mine (id int)`);
    expect((await client.query(`SELECT current_schema() AS schema`)).rows).toEqual([{ schema: 'managed' }]);
  });
});
