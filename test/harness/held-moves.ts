import type { Client } from 'pg';

/** Tables whose rows do not come to some states for as long as it is said so. */
type Held = 'pipeline_run' | 'command';

const INSTALL = `
  CREATE SCHEMA held;
  CREATE TABLE held.move (relation text, state text);
  CREATE FUNCTION held.refuse() RETURNS trigger SECURITY DEFINER LANGUAGE plpgsql AS $$
    BEGIN
      IF EXISTS (SELECT FROM held.move WHERE relation = TG_TABLE_NAME AND state = NEW.state) THEN
        RAISE EXCEPTION 'held' USING ERRCODE = 'insufficient_resources';
      END IF;
      RETURN NEW;
    END $$;
  CREATE TRIGGER held BEFORE UPDATE OF state ON job_planner.pipeline_run FOR EACH ROW EXECUTE FUNCTION held.refuse();
  CREATE TRIGGER held BEFORE INSERT ON command_dispatcher.command FOR EACH ROW EXECUTE FUNCTION held.refuse();`;

/**
 * A database that is in trouble where a test says so: it refuses what would come to a state, and the product tries again until it does not. So a
 * state that is passed in a moment can be looked at.
 */
export class HeldMoves {
  private readonly client: Client;

  private constructor(client: Client) {
    this.client = client;
  }

  static async install(client: Client): Promise<HeldMoves> {
    await client.query(INSTALL);
    return new HeldMoves(client);
  }

  async hold(relation: Held, ...states: string[]): Promise<void> {
    await this.client.query(`INSERT INTO held.move SELECT $1, unnest($2::text[])`, [relation, states]);
  }

  async letGo(): Promise<void> {
    await this.client.query(`DELETE FROM held.move`);
  }
}
