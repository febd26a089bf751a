import pg from 'pg';
import { vi } from 'vitest';

/**
 * A time that a service and its database take for the present, and that moves only when it is told to. It stands in for `Date` in this
 * process, and for `now()` and `clock_timestamp()` in the sessions that the database role opens afterwards: Postgres looks functions up along
 * the search path, on which the role's own schema now comes before the built-in ones, so code and statements are those of production.
 * Timers, and what the bus dates, keep the real time.
 */
export class VirtualClock {
  private constructor(private readonly sql: pg.Client) {}

  /** @param databaseUrl of the service's own role, whose sessions find its schema first. */
  static async start(databaseUrl: string, at: Date): Promise<VirtualClock> {
    const sql = new pg.Client({ connectionString: databaseUrl });
    await sql.connect();
    await sql.query(`CREATE TABLE virtual_time (at timestamptz NOT NULL)`);
    await sql.query(`INSERT INTO virtual_time VALUES ($1)`, [at]);
    for (const name of ['now', 'clock_timestamp'])
      await sql.query(
        `CREATE FUNCTION ${name}() RETURNS timestamptz LANGUAGE sql STABLE AS 'SELECT at FROM virtual_time'`,
      );
    const { rows } = await sql.query<{ schema: string }>(`SELECT current_schema() AS schema`);
    const [database, schema] = [sql.database!, rows[0]!.schema].map((name) => sql.escapeIdentifier(name));
    await sql.query(`ALTER ROLE CURRENT_USER IN DATABASE ${database} SET search_path = ${schema}, pg_catalog`);
    vi.setSystemTime(at);
    return new VirtualClock(sql);
  }

  async moveTo(at: Date): Promise<void> {
    await this.sql.query(`UPDATE virtual_time SET at = $1`, [at]);
    vi.setSystemTime(at);
  }

  async stop(): Promise<void> {
    vi.useRealTimers();
    await this.sql.end();
  }
}
