import { BATCH_SIZE, MAX_DOCUMENT_BYTES, type DeviceOperationState, type JsonObject } from '@muster/contracts';
import { batch, type Tx } from '@muster/journal';
import { Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { NIL } from 'uuid';

const FIRST_ASK_SECONDS = 60;
const MOST_ASK_SECONDS = 3_600;

/** SQL: how soon a device operation that has just been asked for is asked about, should nothing come. */
export const FIRST_ASK_AT = `now() + interval '${FIRST_ASK_SECONDS} seconds'`;

/** SQL over `t`: the pause after another ask. */
const ASK_PAUSE = `make_interval(secs => least(${FIRST_ASK_SECONDS} * 2 ^ least(t.asks + 1, 16), ${MOST_ASK_SECONDS}))`;

/** SQL: what has a command that has not ended. */
const WITH_COMMAND = `command_id IS NOT NULL AND state IN ('INITIATED', 'DISPATCHED', 'PROCESSING')`;

/** The most bytes of documents, as JSON text, that are held at once; in the table they may lie in a hundredth of that. */
const HELD_BYTES = 4 * 1024 * 1024;
/** How many may be compared at once whatever their size: what is asked of a device is there beside what is desired and what it reports. */
const ALWAYS_HELD = Math.floor(HELD_BYTES / (3 * MAX_DOCUMENT_BYTES));

/** A device operation as far as its next move depends on it. */
export interface Standing {
  id: string;
  device_id: string;
  state: DeviceOperationState;
  command_id: string | null;
  cancel_requested: boolean;
}

/** One whose command is to be asked for, with its device. The documents only where they are to be compared. */
export interface Undispatched {
  id: string;
  device_id: string;
  timezone: string;
  desired: JsonObject;
  reported: JsonObject;
}

/** One whose command, or the cancel of it, is asked for again. */
export interface Silent {
  id: string;
  device_id: string;
  command_id: string;
  wanted: JsonObject | null;
  cancel_requested: boolean;
  timezone: string;
}

/** One whose turn job-planner says has come, with its device. The documents only where they are to be compared. */
export interface Turn extends Standing, Undispatched {
  wanted: JsonObject | null;
  /** The last that gave it a command. */
  turn: number;
}

/** One that awaits the proof of its success. */
export interface Unproven {
  id: string;
  /** Null where it needed none. */
  command_id: string | null;
  wanted: JsonObject;
  desired: JsonObject;
  reported: JsonObject;
  /** Whether the device has reported it before, whatever it reports now. */
  shown: boolean;
  late: boolean;
}

export interface ProofKey {
  project_id: string;
  operation_id: string;
  id: string;
}

const STANDING = 'id, device_id, state, command_id, cancel_requested';

/** The statements on device operations that are no transition. The operation is locked by the transaction, where there is one. */
@Injectable()
export class DeviceOperationStore {
  constructor(private readonly dataSource: DataSource) {}

  /** A batch, or so many, of those that have not begun, by the ids of their devices after one of them. */
  created(tx: Tx, operationId: string, after: string | null = null, limit = BATCH_SIZE): Promise<Standing[]> {
    return tx.query(
      `SELECT ${STANDING} FROM device_operation
       WHERE project_id = $1 AND operation_id = $2 AND state = 'CREATED' AND device_id > $3 ORDER BY device_id LIMIT $4`,
      [tx.project, operationId, after ?? NIL, limit],
    );
  }

  /** A batch to dispatch, without documents; or as many as may be held at once, with them. */
  async undispatched(tx: Tx, operationId: string, compared: boolean): Promise<Undispatched[]> {
    const documents = compared
      ? `coalesce(d.desired, '{}') AS desired, coalesce(d.reported, '{}') AS reported,
         coalesce(sum(octet_length(d.desired::text) + octet_length(d.reported::text)) OVER in_order, 0) AS bytes`
      : `'{}'::jsonb AS desired, '{}'::jsonb AS reported, 0 AS bytes`;
    return tx.query(
      `SELECT id, device_id, timezone, desired, reported FROM (
         SELECT o.id, o.device_id, coalesce(d.timezone, 'UTC') AS timezone, ${documents}, row_number() OVER in_order AS place
         FROM (
           SELECT project_id, id, device_id FROM device_operation
           WHERE project_id = $1 AND operation_id = $2 AND state = 'CREATED' ORDER BY device_id LIMIT ${BATCH_SIZE}
         ) o LEFT JOIN device d ON d.project_id = o.project_id AND d.id = o.device_id
         WINDOW in_order AS (ORDER BY o.device_id)
       ) sized WHERE bytes <= ${HELD_BYTES} OR place = 1 ORDER BY device_id`,
      [tx.project, operationId],
    );
  }

  /** Those of the batch that exist and belong to the operation. */
  standing(tx: Tx, operationId: string, ids: readonly string[]): Promise<Standing[]> {
    return tx.query(
      `SELECT ${STANDING} FROM device_operation t JOIN ${batch(['$2::uuid[]'], ['id'])} USING (project_id, id)
       WHERE t.operation_id = $3`,
      [tx.project, ids, operationId],
    );
  }

  /** How many of the batch, from its first, may be compared at once, by the bytes of their documents; at least one. */
  async comparable(tx: Tx, ids: readonly string[]): Promise<number> {
    if (ids.length <= ALWAYS_HELD) return ids.length;
    const [row] = await tx.query<{ n: number }>(
      `SELECT count(*)::integer AS n FROM (
         SELECT sum(octet_length(concat(t.wanted, d.desired, d.reported))) OVER (ORDER BY i.place) AS bytes
         FROM ${batch(['$2::uuid[]', '$3::integer[]'], ['id', 'place'])} LEFT JOIN device_operation t USING (project_id, id)
         LEFT JOIN device d ON d.project_id = t.project_id AND d.id = t.device_id
       ) sized WHERE bytes <= ${HELD_BYTES}`,
      [tx.project, ids, [...ids.keys()]],
    );
    return Math.max(row!.n, ALWAYS_HELD);
  }

  /** Those of the batch that belong to the operation, with what `compared` needs of their devices. */
  turns(tx: Tx, operationId: string, ids: readonly string[], compared: boolean): Promise<Turn[]> {
    const documents = compared
      ? `coalesce(d.desired, '{}') AS desired, coalesce(d.reported, '{}') AS reported`
      : `'{}'::jsonb AS desired, '{}'::jsonb AS reported`;
    return tx.query(
      `SELECT t.id, t.device_id, t.state, t.command_id, t.cancel_requested, t.turn, t.wanted, coalesce(d.timezone, 'UTC') AS timezone, ${documents}
       FROM device_operation t JOIN ${batch(['$2::uuid[]'], ['id'])} USING (project_id, id)
       LEFT JOIN device d ON d.project_id = t.project_id AND d.id = t.device_id
       WHERE t.operation_id = $3`,
      [tx.project, ids, operationId],
    );
  }

  /** Gives these the commands of their turns. */
  async renew(tx: Tx, given: readonly { id: string; command_id: string; turn: number }[]): Promise<void> {
    if (given.length === 0) return;
    await tx.query(
      `UPDATE device_operation t SET command_id = i.command, turn = i.turn, asks = 0, ask_at = ${FIRST_ASK_AT}
       FROM ${batch(['$2::uuid[]', '$3::uuid[]', '$4::integer[]'], ['id', 'command', 'turn'])}
       WHERE t.project_id = i.project_id AND t.id = i.id`,
      [tx.project, given.map(({ id }) => id), given.map(({ command_id }) => command_id), given.map(({ turn }) => turn)],
    );
  }

  /** How many of these were never sent to their device. */
  async countUnsent(tx: Tx, ids: readonly string[]): Promise<number> {
    if (ids.length === 0) return 0;
    const [row] = await tx.query<{ n: number }>(
      `SELECT count(*)::integer AS n FROM device_operation t JOIN ${batch(['$2::uuid[]'], ['id'])} USING (project_id, id)
       WHERE NOT t.activity @> '[{"state":"DISPATCHED"}]'`,
      [tx.project, ids],
    );
    return row!.n;
  }

  /** What these have to show is something else from now on; what their devices showed before proves nothing. */
  async wantAnew(
    tx: Tx,
    parts: readonly { id: string; device_id: string; wanted: JsonObject | null }[],
  ): Promise<void> {
    if (parts.length === 0) return;
    const ids = parts.map(({ id }) => id);
    await tx.query(
      `UPDATE device_operation t SET wanted = i.wanted
       FROM ${batch(['$2::uuid[]', '$3::jsonb[]'], ['id', 'wanted'])} WHERE t.project_id = i.project_id AND t.id = i.id`,
      [tx.project, ids, parts.map(({ wanted }) => JSON.stringify(wanted))],
    );
    await tx.query(
      `UPDATE device t SET shown = t.shown - i.part::text
       FROM ${batch(['$2::uuid[]', '$3::uuid[]'], ['id', 'part'])}
       WHERE t.project_id = i.project_id AND t.id = i.id AND t.shown ? i.part::text`,
      [tx.project, parts.map(({ device_id }) => device_id), ids],
    );
  }

  /** Of these that await their proof, what was found is told; it is looked at again later, should nobody have heard. */
  async lookLater(tx: Tx, ids: readonly string[], seconds: number): Promise<void> {
    await tx.query(
      `UPDATE device_operation t SET due_at = now() + make_interval(secs => $3), ask_at = coalesce(t.ask_at, ${FIRST_ASK_AT})
       FROM ${batch(['$2::uuid[]'], ['id'])} WHERE t.project_id = i.project_id AND t.id = i.id AND t.state = 'COMPLETED'`,
      [tx.project, ids, seconds],
    );
  }

  /** The page of those that have not begun after a device; `among`: of these devices alone. */
  unbegun(
    project: string,
    operationId: string,
    { after, among, limit }: { after?: string; among?: readonly string[]; limit: number },
  ): Promise<{ id: string; device_id: string; timezone: string }[]> {
    return this.dataSource.query(
      `SELECT o.id, o.device_id, coalesce(d.timezone, 'UTC') AS timezone
       FROM device_operation o LEFT JOIN device d ON d.project_id = o.project_id AND d.id = o.device_id
       WHERE o.project_id = $1 AND o.operation_id = $2 AND o.state = 'CREATED' AND o.device_id > $3
         AND ($4::uuid[] IS NULL OR o.device_id = ANY($4))
       ORDER BY o.device_id LIMIT $5`,
      [project, operationId, after ?? NIL, among ?? null, limit],
    );
  }

  /** A batch of those that have not ended. */
  open(project: string, operationId: string): Promise<{ id: string }[]> {
    return this.dataSource.query(
      `SELECT id FROM device_operation WHERE project_id = $1 AND operation_id = $2
         AND state IN ('CREATED', 'INITIATED', 'DISPATCHED', 'PROCESSING', 'COMPLETED') LIMIT ${BATCH_SIZE}`,
      [project, operationId],
    );
  }

  async ofDevice(tx: Tx, operationId: string, deviceId: string): Promise<Standing | undefined> {
    const [row] = await tx.query<Standing>(
      `SELECT ${STANDING} FROM device_operation WHERE project_id = $1 AND operation_id = $2 AND device_id = $3`,
      [tx.project, operationId, deviceId],
    );
    return row;
  }

  /** A batch of those in flight whose cancel has not been asked for. */
  unstopped(tx: Tx, operationId: string): Promise<Standing[]> {
    return tx.query(
      `SELECT ${STANDING} FROM device_operation
       WHERE project_id = $1 AND operation_id = $2 AND state IN ('INITIATED', 'DISPATCHED', 'PROCESSING', 'COMPLETED')
         AND NOT cancel_requested
       ORDER BY device_id LIMIT ${BATCH_SIZE}`,
      [tx.project, operationId],
    );
  }

  /** Notes that a cancel is asked for; gives how many that is new for. */
  async requestCancel(tx: Tx, ids: readonly string[]): Promise<number> {
    const rows = await tx.query(
      `UPDATE device_operation t
       SET cancel_requested = true, asks = 0, ask_at = CASE WHEN ${WITH_COMMAND} THEN ${FIRST_ASK_AT} END
       FROM ${batch(['$2::uuid[]'], ['id'])}
       WHERE t.project_id = i.project_id AND t.id = i.id AND NOT t.cancel_requested
       RETURNING t.id`,
      [tx.project, ids.toSorted()],
    );
    return rows.length;
  }

  /** Claims some of those whose time to ask again has come; each is left alone after that for twice as long as before. */
  claimSilent(tx: Tx, operationId: string): Promise<Silent[]> {
    return tx.query(
      `WITH claimed AS (
         UPDATE device_operation t SET ask_at = now() + ${ASK_PAUSE}, asks = t.asks + 1
         FROM (
           SELECT id, row_number() OVER in_order AS place, coalesce(sum(octet_length(wanted::text)) OVER in_order, 0) AS bytes
           FROM (
             SELECT id, wanted FROM device_operation
             WHERE project_id = $1 AND operation_id = $2 AND (${WITH_COMMAND} OR state = 'COMPLETED') AND (ask_at <= now()) IS TRUE
             ORDER BY id LIMIT ${BATCH_SIZE}
           ) silent WINDOW in_order AS (ORDER BY id)
         ) AS due
         WHERE t.project_id = $1 AND t.id = due.id AND (due.bytes <= ${HELD_BYTES} OR due.place = 1)
         RETURNING t.project_id, t.id, t.device_id, t.command_id, t.wanted, t.cancel_requested
       )
       SELECT c.id, c.device_id, c.command_id, c.wanted, c.cancel_requested, coalesce(d.timezone, 'UTC') AS timezone
       FROM claimed c LEFT JOIN device d ON d.project_id = c.project_id AND d.id = c.device_id`,
      [tx.project, operationId],
    );
  }

  /** Of the batch, those that await their proof, with what their devices report now. What was never asked for is all that is desired. */
  unproven(tx: Tx, ids: readonly string[]): Promise<Unproven[]> {
    return tx.query(
      `SELECT o.id, o.command_id, coalesce(o.wanted, d.desired, '{}') AS wanted, coalesce(d.desired, '{}') AS desired, coalesce(d.reported, '{}') AS reported,
              (d.shown ? o.id::text) IS TRUE AS shown, (o.due_at <= now()) IS TRUE AS late
       FROM (
         SELECT t.* FROM device_operation t JOIN ${batch(['$2::uuid[]'], ['id'])} USING (project_id, id)
         WHERE t.state = 'COMPLETED'
       ) o LEFT JOIN device d ON d.project_id = o.project_id AND d.id = o.device_id`,
      [tx.project, ids],
    );
  }

  /** What the reports of these devices may prove. */
  provable(project: string, deviceIds: readonly string[]): Promise<ProofKey[]> {
    return this.dataSource.query(
      `SELECT t.project_id, t.operation_id, t.id
       FROM device_operation t JOIN ${batch(['$2::uuid[]'], ['device_id'])} USING (project_id, device_id)
       WHERE t.state = 'COMPLETED'`,
      [project, deviceIds],
    );
  }

  /** What has waited for its proof for long enough. */
  proofsDue(limit: number): Promise<ProofKey[]> {
    return this.dataSource.query(
      `SELECT project_id, operation_id, id FROM device_operation
       WHERE state = 'COMPLETED' AND due_at <= now() ORDER BY due_at LIMIT $1`,
      [limit],
    );
  }
}
