import { BATCH_SIZE, type JobTaskStatus } from '@muster/contracts';
import { batch, type Tx } from '@muster/journal';
import { Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import type { DeviceTime } from './device.times.js';
import type { DeviceEnd } from './tally.js';
import { UNDER_WAY, type TargetTable } from './target.table.js';

const FIRST_ASK_SECONDS = 60;
const MOST_ASK_SECONDS = 3_600;
/** A device that has yet to show its success is looked at this often at least: its time may be over. */
const MOST_PROOF_SECONDS = 4;
/** How many parts of a device say how long it takes. */
const LATEST_PARTS = 10;

/** SQL: how soon a device's part that has just moved is asked about, should nothing come. */
export const FIRST_ASK_AT = `now() + interval '${FIRST_ASK_SECONDS} seconds'`;

/** SQL over `t`: the pause after another ask; at first `seconds`, then twice as long each time. */
const askPause = (seconds: number, most: number) =>
  `make_interval(secs => least(${seconds} * 2 ^ least(t.asks + 1, 16), ${most}))`;

/** What is needed to ask for a device's command, beside what its family needs. */
export interface Askable {
  id: string;
  device_id: string;
  command_id: string;
  releases: number;
  state: JobTaskStatus;
}

/** A device that is back, and of which release of its part that is said. */
export interface Back {
  ref: string;
  command_id: string;
  turn?: number;
}

/** Which devices may begin. */
export interface Releasable {
  count: number;
  /** Their places, from and before; null: wherever they are. */
  ranges: readonly { from: number; to: number }[] | null;
  /** Their zones; null: wherever they are. */
  zones: readonly string[] | null;
}

/** A device's part as its outcome is judged. */
export interface Standing {
  id: string;
  state: JobTaskStatus;
  waits_for: string;
  place: number;
  attempts: number;
  /** What its last try came to, where it was tried before. */
  outcome: DeviceEnd | null;
  /** By when its device must have been contacted; epoch milliseconds. */
  contact_by: number | null;
}

/** SQL: {@link TargetStore.tookOf}, after the latest parts of each device, whatever they were told. */
export const tookStatement = ({ states: { table }, owner }: TargetTable): string =>
  `SELECT i.device_id, min(did.took) AS least, max(did.took) AS most
   FROM ${batch(['$2::uuid[]'], ['device_id'])} CROSS JOIN LATERAL (
     SELECT latest.took FROM (
       SELECT t.${owner} AS id, t.took FROM ${table} t
       WHERE t.project_id = $1 AND t.device_id = i.device_id ORDER BY t.${owner} DESC LIMIT ${LATEST_PARTS}
     ) latest JOIN rollout r ON r.project_id = $1 AND r.id = latest.id AND r.command = $3
     WHERE latest.took IS NOT NULL
   ) did GROUP BY 1`;

/** The statements on devices' parts that are no transition. The rollout is locked by the transaction. */
@Injectable()
export class TargetStore {
  constructor(private readonly dataSource: DataSource) {}

  /** The next to begin: those that are to go on again first, then those whose turn it is. */
  async releasable(
    tx: Tx,
    table: TargetTable,
    rollout: string,
    { count, ranges, zones }: Releasable,
  ): Promise<string[]> {
    const parameters: unknown[] = [tx.project, rollout, count];
    const inZone = zones ? `AND timezone = ANY($${parameters.push(zones)})` : '';
    const mine = `project_id = $1 AND ${table.owner} = $2 AND state = 'Waiting'`;
    const held = `SELECT id, 0 AS lane, 0 AS place FROM ${table.states.table}
      WHERE ${mine} AND waits_for = 'retry_at' AND ask_at <= now() ${inZone} ORDER BY ask_at LIMIT $3`;
    const turn = (where: string) => `SELECT id, place FROM ${table.states.table}
      WHERE ${mine} AND waits_for = '' ${where} ORDER BY place, id LIMIT $3`;
    // A look into each range and zone by itself follows the index; one into all of them reads what must not begin yet.
    const from: string[] = [];
    const where: string[] = [];
    if (ranges) {
      const [froms, tos] = [ranges.map((range) => range.from), ranges.map((range) => range.to)];
      from.push(`unnest($${parameters.push(froms)}::integer[], $${parameters.push(tos)}::integer[]) AS range(f, t)`);
      where.push('AND place >= range.f AND place < range.t');
    }
    if (zones) {
      from.push(`unnest($${parameters.indexOf(zones) + 1}::text[]) AS zone(name)`);
      where.push('AND timezone = zone.name');
    }
    const turns =
      from.length > 0
        ? `SELECT next.id, 1, next.place FROM ${from.join(' CROSS JOIN ')} CROSS JOIN LATERAL (${turn(where.join(' '))}) next
           ORDER BY next.place, next.id LIMIT $3`
        : `SELECT id, 1, place FROM (${turn('')}) next`;
    const rows = await tx.query<{ id: string }>(
      `SELECT id FROM ((${held}) UNION ALL (${turns})) found(id, lane, place) ORDER BY lane, place, id LIMIT $3`,
      parameters,
    );
    return rows.map((row) => row.id);
  }

  /** When the next one in these zones, null: wherever it is, is to go on again; epoch milliseconds. */
  async nextRetry(
    tx: Tx,
    table: TargetTable,
    rollout: string,
    zones: readonly string[] | null,
  ): Promise<number | null> {
    const [row] = await tx.query<{ at: number | null }>(
      `SELECT (extract(epoch FROM min(ask_at)) * 1000)::float8 AS at FROM ${table.states.table}
       WHERE project_id = $1 AND ${table.owner} = $2 AND state = 'Waiting' AND waits_for = 'retry_at'
         AND ($3::text[] IS NULL OR timezone = ANY($3))`,
      [tx.project, rollout, zones],
    );
    return row!.at;
  }

  /** Some that have not begun. `tried`: what the last try came to of those that wait for another, be it for their device, too. */
  async waiting(
    tx: Tx,
    table: TargetTable,
    rollout: string,
    limit: number,
  ): Promise<{ id: string; tried: DeviceEnd | null }[]> {
    const lane = (which: string) =>
      `(SELECT id, CASE WHEN attempts > (command_id IS NOT NULL)::integer THEN outcome END AS tried FROM ${table.states.table}
        WHERE project_id = $1 AND ${table.owner} = $2 AND state = 'Waiting' AND ${which} LIMIT $3)`;
    return tx.query<{ id: string; tried: DeviceEnd | null }>(
      `${lane(`waits_for = ''`)} UNION ALL ${lane(`waits_for <> ''`)} LIMIT $3`,
      [tx.project, rollout, limit],
    );
  }

  /** Some whose command is under way and not to be cancelled yet. */
  async running(tx: Tx, table: TargetTable, rollout: string, limit: number): Promise<string[]> {
    const rows = await tx.query<{ id: string }>(
      `SELECT id FROM ${table.states.table} WHERE project_id = $1 AND ${table.owner} = $2 AND state = 'Running' ORDER BY id LIMIT $3`,
      [tx.project, rollout, limit],
    );
    return rows.map((row) => row.id);
  }

  /** Some that ended without success and that this round of retry has not reopened yet. */
  async reopenable(tx: Tx, table: TargetTable, rollout: string, round: number, limit: number): Promise<string[]> {
    const rows = await tx.query<{ id: string }>(
      `SELECT id FROM ${table.states.table}
       WHERE project_id = $1 AND ${table.owner} = $2 AND state IN ('Failed', 'Timed_out', 'Stopped') AND round < $3
       ORDER BY id LIMIT $4`,
      [tx.project, rollout, round, limit],
    );
    return rows.map((row) => row.id);
  }

  /** Of these parts of the rollout, those that have not ended and whose present command is the one named. */
  async standing(
    tx: Tx,
    table: TargetTable,
    items: readonly { ref: string; command_id: string }[],
  ): Promise<Map<string, Standing>> {
    const rows = await tx.query<Standing & Record<string, unknown>>(
      `SELECT t.id, t.state, t.waits_for, t.place, t.attempts, t.outcome,
         (extract(epoch FROM t.contact_by) * 1000)::float8 AS contact_by
       FROM ${batch(['$2::uuid[]', '$3::uuid[]'], ['id', 'command'])} JOIN ${table.states.table} t USING (project_id, id)
       WHERE t.command_id = i.command AND t.state IN ('Waiting', 'Running', 'Stopping')`,
      [tx.project, items.map(({ ref }) => ref), items.map(({ command_id }) => command_id)],
    );
    return new Map(rows.map((row) => [row.id, row]));
  }

  /** Claims those under way whose time to ask again has come; each is left alone after that for twice as long as before. */
  claimSilent(tx: Tx, table: TargetTable, rollout: string): Promise<(Askable & Record<string, unknown>)[]> {
    return this.claim(
      tx,
      table,
      rollout,
      `state IN ('Running', 'Stopping') AND waits_for = ''`,
      FIRST_ASK_SECONDS,
      MOST_ASK_SECONDS,
    );
  }

  /** Claims those whose device is offline, to look whether that is still so. */
  claimOffline(tx: Tx, table: TargetTable, rollout: string): Promise<(Askable & Record<string, unknown>)[]> {
    return this.claim(
      tx,
      table,
      rollout,
      `state = 'Waiting' AND waits_for = 'offline'`,
      FIRST_ASK_SECONDS,
      MOST_ASK_SECONDS,
    );
  }

  /** Claims those whose device said that it succeeded and has yet to show it. */
  claimUnproven(tx: Tx, table: TargetTable, rollout: string): Promise<(Askable & Record<string, unknown>)[]> {
    return this.claim(tx, table, rollout, `state = 'Running' AND waits_for = 'proof'`, 1, MOST_PROOF_SECONDS);
  }

  private async claim(tx: Tx, table: TargetTable, rollout: string, which: string, first: number, most: number) {
    return tx.query<Askable & Record<string, unknown>>(
      `WITH claimed AS (
         UPDATE ${table.states.table} t SET ask_at = now() + ${askPause(first, most)}, asks = t.asks + 1
         FROM (
           SELECT id FROM ${table.states.table}
           WHERE project_id = $1 AND ${table.owner} = $2 AND ${which} AND ask_at <= now()
           ORDER BY id LIMIT ${BATCH_SIZE}
         ) AS due
         WHERE t.project_id = $1 AND t.id = due.id
         RETURNING ${['id', 'state', ...UNDER_WAY, ...table.item].map((name) => `t.${name}`).join(', ')},
           (extract(epoch FROM t.proof_by) * 1000)::float8 AS proof_by
       )
       SELECT * FROM claimed`,
      [tx.project, rollout],
    );
  }

  /** Of these, those that were offline under this command and release, and go on again now. Gives their places. */
  async noteReachable(tx: Tx, table: TargetTable, items: readonly Back[]): Promise<number[]> {
    const rows = await tx.query<{ place: number }>(
      `WITH back AS (
         UPDATE ${table.states.table} t SET waits_for = 'retry_at', ask_at = now()
         FROM ${batch(['$2::uuid[]', '$3::uuid[]', '$4::integer[]'], ['id', 'command', 'turn'])}
         WHERE t.project_id = i.project_id AND t.id = i.id AND t.command_id = i.command AND t.releases = i.turn
           AND t.state = 'Waiting' AND t.waits_for = 'offline'
         RETURNING t.place
       )
       SELECT place FROM back`,
      [
        tx.project,
        items.map(({ ref }) => ref),
        items.map(({ command_id }) => command_id),
        items.map(({ turn }) => turn),
      ],
    );
    return rows.map((row) => row.place);
  }

  /** These, which have not begun and whose command came to nothing, wait for their turn once more. */
  async waitAnew(tx: Tx, table: TargetTable, ids: readonly string[]): Promise<void> {
    if (ids.length === 0) return;
    await tx.query(
      `UPDATE ${table.states.table} t SET waits_for = '', command_id = NULL, ask_at = NULL, attempts = t.attempts - 1 FROM ${batch(['$2::uuid[]'], ['id'])}
       WHERE t.project_id = i.project_id AND t.id = i.id AND t.state = 'Waiting'`,
      [tx.project, ids],
    );
  }

  /**
   * Notes of these, which are under way, that their devices have yet to show what they say, and have so many seconds for it. Gives how many it is
   * noted of.
   */
  async noteUnproven(tx: Tx, table: TargetTable, ids: readonly string[], seconds: number): Promise<number> {
    const [row] = await tx.query<{ noted: number }>(
      `WITH noted AS (
         UPDATE ${table.states.table} t SET waits_for = 'proof', ask_at = now(), asks = 0, proof_by = now() + make_interval(secs => $3)
         FROM ${batch(['$2::uuid[]'], ['id'])}
         WHERE t.project_id = i.project_id AND t.id = i.id AND t.state = 'Running' AND t.waits_for = ''
         RETURNING 1
       )
       SELECT count(*)::integer AS noted FROM noted`,
      [tx.project, ids, seconds],
    );
    return row!.noted;
  }

  /** Those of these targets that have their part already. */
  async placed(tx: Tx, table: TargetTable, rollout: string, targets: readonly string[]): Promise<Set<string>> {
    const rows = await tx.query<{ target_id: string }>(
      `SELECT target_id FROM ${table.states.table} WHERE project_id = $1 AND ${table.owner} = $2 AND target_id = ANY($3)`,
      [tx.project, rollout, targets],
    );
    return new Set(rows.map((row) => row.target_id));
  }

  /** The places of those that were cancelled. */
  async stoppedPlaces(tx: Tx, table: TargetTable, rollout: string): Promise<number[]> {
    const rows = await tx.query<{ place: number }>(
      `SELECT place FROM ${table.states.table} WHERE project_id = $1 AND ${table.owner} = $2 AND state = 'Stopped'`,
      [tx.project, rollout],
    );
    return rows.map((row) => row.place);
  }

  /** The rollouts, other than one, in which some of these devices have yet to end, each with how many. */
  async under(
    project: string,
    table: TargetTable,
    devices: readonly string[],
    except: string,
  ): Promise<{ rollout: string; devices: number }[]> {
    return this.dataSource.query(
      `SELECT t.${table.owner} AS rollout, count(DISTINCT t.device_id)::integer AS devices
       FROM ${batch(['$2::uuid[]'], ['device_id'])} JOIN ${table.states.table} t USING (project_id, device_id)
       WHERE t.state IN ('Waiting', 'Running') AND t.${table.owner} <> $3 GROUP BY 1 ORDER BY 1`,
      [project, devices, except],
    );
  }

  /** How long these devices took for a command when they last succeeded at it, from and to; without those that have not of late. */
  async tookOf(
    project: string,
    table: TargetTable,
    command: string,
    devices: readonly string[],
  ): Promise<({ device_id: string } & DeviceTime)[]> {
    return this.dataSource.query(tookStatement(table), [project, devices, command]);
  }

  /** The parts of these devices in a rollout that have not begun, or whose command may not have been sent. */
  async unsent(
    tx: Tx,
    table: TargetTable,
    rollout: string,
    devices: readonly string[],
  ): Promise<(Pick<Askable, 'id' | 'state' | 'command_id'> & Record<string, unknown>)[]> {
    return tx.query(
      `SELECT ${['id', 'state', 'command_id', ...table.item].map((name) => `t.${name}`).join(', ')} FROM ${batch(['$3::uuid[]'], ['device_id'])}
       JOIN ${table.states.table} t USING (project_id, device_id)
       WHERE t.${table.owner} = $2 AND t.state IN ('Waiting', 'Running') AND t.waits_for <> 'proof'`,
      [tx.project, rollout, devices],
    );
  }
}
