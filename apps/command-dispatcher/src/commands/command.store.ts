import { DomainError, type CommandRequest, type CommandState, type LateAnswer } from '@muster/contracts';
import { batch, type Tx } from '@muster/journal';
import { Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { IN_FLIGHT } from './command.lifecycle.js';
import type { DueCommand } from './due.judge.js';
import { RequestFacts, type SharedRequest } from './request.facts.js';
import { termsOf } from './terms.js';

/** How long a device may keep silent about a command it has taken before it is asked again. */
const SILENCE_SECONDS = 60;
/** Wait before the first repetition of a send that nobody answered; doubles up to {@link SILENCE_SECONDS}. */
const RESEND_SECONDS = 5;

/**
 * SQL: the deadline of a command that is sent now, from the alias of what knows how long it may take. By the clock, for `now()` is when the
 * transaction began, which may have waited long for its lanes.
 */
export const deadlineOf = (alias: string) => `clock_timestamp() + make_interval(secs => ${alias}.in_progress_seconds)`;
/** SQL: when to look again at a command with this deadline that is being sent, after so many earlier sends. */
export const resendAt = (deadline: string, sends: string) =>
  `least(${deadline}, clock_timestamp() + make_interval(secs => least(${RESEND_SECONDS} * 2 ^ least(${sends}, 10), ${SILENCE_SECONDS})))`;
const RESEND_AT = resendAt('t.deadline', 't.sends');
/** SQL over `t`: when to look again at a command that its device has taken. */
export const LOOK_AGAIN_AT = `least(t.deadline, now() + interval '${SILENCE_SECONDS} seconds')`;

/** SQL: the advisory lock of a request, from SQL for its project and its id. */
export const requestLock = (project: string, id: string) =>
  `hashtextextended(${project}::text || ' ' || ${id}::text, 0)`;

/** What is needed to send a command. */
export interface Sendable {
  id: string;
  request_id: string;
  device_id: string;
  args: Record<string, unknown>;
  attempt: number;
  fence: number;
  deadline: Date;
  traceparent: string | null;
}

/** What a statement that makes a command {@link Sendable} must return beside its id. */
export const SENDABLE_COLUMNS = ['request_id', 'device_id', 'args', 'attempt', 'fence', 'deadline'] as const;

/**
 * SQL over `t`: whether it may be sent once more. Outside its window a device that never took a command must not start it; one that did only
 * tells of it.
 */
const MAY_BE_REPEATED = `(t.window_closes IS NULL OR t.window_closes > now() OR t.state <> 'INITIATED' OR t.cancel_requested)`;

const SENDABLE = `id, ${SENDABLE_COLUMNS.join(', ')}, traceparent`;
const t = (columns: string) => columns.replaceAll(/\w+/g, (column) => `t.${column}`);

/** Where a command stands, for judging what a device says of it. */
export interface Standing {
  id: string;
  device_id: string;
  fence: number;
  state: CommandState;
  cancel_requested: boolean;
}

/** A command with the device whose lane has to be locked before it is touched. */
export interface CommandOfDevice {
  project_id: string;
  id: string;
  device_id: string;
}

/** The statements on commands that are no transition. */
@Injectable()
export class CommandStore {
  constructor(
    private readonly dataSource: DataSource,
    private readonly facts: RequestFacts,
  ) {}

  /**
   * Saves the request of an accept and locks it, before any lane: accepts of one request run beside each other, a cancel runs alone; so either
   * it sees their commands, or they see its mark.
   * @throws DomainError `conflict` when the id belongs to a request for something else.
   */
  async openRequest(tx: Tx, request: CommandRequest, byUser: boolean): Promise<void> {
    const { command, args, reply_to } = request;
    const shared: SharedRequest = { command, args, reply_to, terms: termsOf(request), by_user: byUser };
    const values = [
      tx.project,
      request.request_id,
      command,
      JSON.stringify(args),
      reply_to,
      JSON.stringify(shared.terms),
      byUser,
    ];
    const saved = await tx.query(
      `INSERT INTO command_request (project_id, id, command, args, reply_to, terms, by_user)
       SELECT $1::text, $2::uuid, $3::text, $4::jsonb, $5::text, $6::jsonb, $7::boolean
       FROM pg_advisory_xact_lock_shared(${requestLock('$1', '$2')})
       ON CONFLICT DO NOTHING RETURNING id`,
      values,
    );
    if (saved.length > 0) return this.facts.note(tx, request.request_id, shared);
    const [same] = await tx.query<{ asked_long_ago: boolean }>(
      `SELECT asked_at < now() - interval '1 day' AS asked_long_ago FROM command_request
       WHERE project_id = $1 AND id = $2 AND command = $3 AND args = $4::jsonb AND reply_to = $5 AND terms = $6::jsonb AND by_user = $7`,
      values,
    );
    if (!same) throw new DomainError('conflict', `request ${request.request_id} exists and asks for something else`);
    this.facts.note(tx, request.request_id, shared);
    // Not each time: the batches of a request would wait for each other.
    if (same.asked_long_ago)
      await tx.query(`UPDATE command_request SET asked_at = now() WHERE project_id = $1 AND id = $2`, [
        tx.project,
        request.request_id,
      ]);
  }

  /** Locks the request of a cancel, before any lane; see {@link openRequest}. */
  async lockRequest(tx: Tx, requestId: string): Promise<void> {
    await tx.query(`SELECT pg_advisory_xact_lock(${requestLock('$1', '$2')})`, [tx.project, requestId]);
  }

  /** Remembers cancels whose commands have not been asked for yet. */
  async markCancelled(tx: Tx, ids: readonly string[], reason: string): Promise<void> {
    await tx.query(
      `INSERT INTO command_cancel (project_id, id, reason) SELECT $1, id, $3 FROM unnest($2::uuid[]) AS i(id) ON CONFLICT DO NOTHING`,
      [tx.project, ids, reason],
    );
  }

  /** Of these commands, those that exist, and those that were cancelled before they were asked for, with the reason; their marks are used up. */
  async known(tx: Tx, ids: readonly string[]): Promise<{ existing: Set<string>; cancelled: Map<string, string> }> {
    const rows = await tx.query<{ id: string; cancelled: string | null }>(
      `WITH asked AS (SELECT * FROM ${batch(['$2::uuid[]'], ['id'])}), used AS (
         DELETE FROM command_cancel t USING asked i WHERE t.project_id = i.project_id AND t.id = i.id RETURNING t.id, t.reason
       )
       SELECT id, reason AS cancelled FROM used UNION ALL SELECT id, NULL FROM command JOIN asked USING (project_id, id)`,
      [tx.project, ids],
    );
    const existing = new Set<string>();
    const marks = new Map<string, string>();
    for (const { id, cancelled } of rows) {
      if (cancelled === null) existing.add(id);
      else marks.set(id, cancelled);
    }
    return { existing, cancelled: marks };
  }

  async standing(tx: Tx, ids: readonly string[]): Promise<Map<string, Standing>> {
    const rows = await tx.query<Standing>(
      `SELECT id, device_id, fence, state, cancel_requested FROM command JOIN ${batch(['$2::uuid[]'], ['id'])} USING (project_id, id)`,
      [tx.project, ids],
    );
    return new Map(rows.map((row) => [row.id, row]));
  }

  /** Of these commands, those that have ended, as their asker wants to hear it. */
  async ended(
    tx: Tx,
    ids: readonly string[],
  ): Promise<
    {
      id: string;
      ref: string;
      request_id: string;
      device_id: string;
      state: CommandState;
      reason: string;
      code: string;
      attempt: number;
      traceparent: string | null;
    }[]
  > {
    return tx.query(
      `SELECT id, ref, request_id, device_id, state, reason, code, attempt, traceparent FROM command
       JOIN ${batch(['$2::uuid[]'], ['id'])} USING (project_id, id) WHERE state IN ('SUCCESS', 'FAILURE', 'TIMEOUT', 'CANCELLED')`,
      [tx.project, ids],
    );
  }

  /** What the evidence of these commands has at the dotted path given with each; those where it has nothing are left out. */
  async proofs(tx: Tx, asked: readonly { id: string; path: string }[]): Promise<Map<string, unknown>> {
    const rows = await tx.query<{ id: string; proof: unknown }>(
      `SELECT id, proof FROM ${batch(['$2::uuid[]', '$3::text[]'], ['id', 'path'])} JOIN command USING (project_id, id)
       CROSS JOIN LATERAL (SELECT command.evidence #> string_to_array(i.path, '.') AS proof) AS found
       WHERE proof IS NOT NULL`,
      [tx.project, asked.map(({ id }) => id), asked.map(({ path }) => path)],
    );
    return new Map(rows.map(({ id, proof }) => [id, proof]));
  }

  /** The devices of those of these commands that exist. */
  async devicesOf(tx: Tx, ids: readonly string[]): Promise<{ id: string; device_id: string }[]> {
    return tx.query(`SELECT id, device_id FROM command JOIN ${batch(['$2::uuid[]'], ['id'])} USING (project_id, id)`, [
      tx.project,
      ids,
    ]);
  }

  /** A report of progress from a command that is INPROGRESS already: no transition. */
  async saveProgress(tx: Tx, rows: readonly { id: string; progress: number | null }[]): Promise<void> {
    await tx.query(
      `UPDATE command t SET progress = coalesce(i.progress, t.progress), due_at = ${LOOK_AGAIN_AT}
       FROM ${batch(['$2::uuid[]', '$3::double precision[]'], ['id', 'progress'])}
       WHERE t.project_id = i.project_id AND t.id = i.id AND t.state = 'INPROGRESS'`,
      [tx.project, rows.map((row) => row.id), rows.map((row) => row.progress)],
    );
  }

  /** The commands that these devices work on, ready to be sent once more. `concurrent`: those of the devices that may work on several. */
  async inFlight(
    tx: Tx,
    deviceIds: readonly string[],
    concurrent: readonly string[],
  ): Promise<(Sendable & { cancel_requested: boolean })[]> {
    const repeat = `UPDATE command t SET sends = t.sends + 1, due_at = ${RESEND_AT}`;
    const which = `t.state = ANY($3) AND ${MAY_BE_REPEATED} RETURNING ${t(SENDABLE)}, t.cancel_requested`;
    const ofLanes = await tx.query<Sendable & { cancel_requested: boolean }>(
      `${repeat} FROM ${batch(['$2::uuid[]'], ['device_id'])} JOIN lane USING (project_id, device_id)
       WHERE t.project_id = i.project_id AND t.id = lane.in_flight AND ${which}`,
      [tx.project, deviceIds, IN_FLIGHT],
    );
    if (concurrent.length === 0) return ofLanes;
    const beside = await tx.query<Sendable & { cancel_requested: boolean }>(
      `${repeat} FROM ${batch(['$2::uuid[]'], ['device_id'])}
       WHERE t.project_id = i.project_id AND t.device_id = i.device_id AND t.concurrent
         AND t.state IN ('INITIATED', 'ACKNOWLEDGED', 'INPROGRESS') AND ${which}`,
      [tx.project, concurrent, IN_FLIGHT],
    );
    return [...ofLanes, ...beside];
  }

  /** Commands whose time came at least `lateBySeconds` ago, of every project, the longest overdue first. */
  async due(limit: number, lateBySeconds = 0): Promise<CommandOfDevice[]> {
    return this.dataSource.query<CommandOfDevice[]>(
      `SELECT project_id, id, device_id FROM command WHERE due_at <= now() - make_interval(secs => $2) ORDER BY due_at LIMIT $1`,
      [limit, lateBySeconds],
    );
  }

  /** Of these commands, those that are due, for judging what becomes of them. Their lanes must be locked. */
  async judged(tx: Tx, ids: readonly string[]): Promise<DueCommand[]> {
    return tx.query<DueCommand & Record<string, unknown>>(
      `SELECT t.id, t.state, t.attempt, t.cancel_requested, t.retries, t.expires_at <= now() AS expired,
         coalesce(t.window_closes <= now(), false) AS missed, coalesce(t.deadline <= now(), false) AS overdue
       FROM ${batch(['$2::uuid[]'], ['id'])} JOIN command t USING (project_id, id) WHERE (t.due_at <= now()) IS TRUE`,
      [tx.project, ids],
    );
  }

  /**
   * Those that are due, in flight and not past their deadline: to be sent again when the device is `online`, left to its hello when not, and put
   * off when what devices say waits unread (`isBehind`): the answer may be there.
   * `IS TRUE` keeps the index of what is due out of it: through that, each due command would be looked for among all that are given.
   */
  async takeResends(
    tx: Tx,
    commands: readonly { id: string; online: boolean }[],
    isBehind: boolean,
  ): Promise<(Sendable & { cancel_requested: boolean })[]> {
    const sending = `(i.online AND NOT $5 AND ${MAY_BE_REPEATED})`;
    const rows = await tx.query<Sendable & { cancel_requested: boolean; sending: boolean }>(
      `UPDATE command t
       SET sends = t.sends + ${sending}::integer,
         due_at = CASE WHEN ${sending} THEN ${RESEND_AT}
           WHEN i.online AND $5 THEN least(t.deadline, now() + interval '${RESEND_SECONDS} seconds') ELSE t.deadline END
       FROM ${batch(['$2::uuid[]', '$4::boolean[]'], ['id', 'online'])}
       WHERE t.project_id = i.project_id AND t.id = i.id AND t.state = ANY($3) AND (t.due_at <= now()) IS TRUE AND t.deadline > now()
       RETURNING ${t(SENDABLE)}, t.cancel_requested, ${sending} AS sending`,
      [
        tx.project,
        commands.map((command) => command.id),
        IN_FLIGHT,
        commands.map((command) => command.online),
        isBehind,
      ],
    );
    return rows.filter((row) => row.sending);
  }

  /** Notes the end that a device tells of a command that had ended without it; the first one counts. */
  async saveLateAnswers(tx: Tx, answers: readonly { id: string; answer: Omit<LateAnswer, 'at'> }[]): Promise<void> {
    await tx.query(
      `UPDATE command t SET late_answer = i.answer::jsonb || jsonb_build_object('at', now())
       FROM ${batch(['$2::uuid[]', '$3::text[]'], ['id', 'answer'])}
       WHERE t.project_id = i.project_id AND t.id = i.id AND t.state IN ('TIMEOUT', 'CANCELLED') AND t.late_answer IS NULL`,
      [tx.project, answers.map(({ id }) => id), answers.map(({ answer }) => JSON.stringify(answer))],
    );
  }

  /** Marks commands in flight as to be cancelled: the device is asked, and after `graceSeconds` without an answer nobody waits any longer. */
  async requestCancel(
    tx: Tx,
    ids: readonly string[],
    reason: string,
    graceSeconds: number,
  ): Promise<{ id: string; device_id: string; fence: number; traceparent: string | null }[]> {
    return tx.query(
      `UPDATE command t
       SET cancel_requested = true, reason = $4, deadline = least(t.deadline, now() + make_interval(secs => $5)),
           due_at = least(t.due_at, now() + interval '${RESEND_SECONDS} seconds'), sends = 1
       FROM ${batch(['$2::uuid[]'], ['id'])}
       WHERE t.project_id = i.project_id AND t.id = i.id AND t.state = ANY($3) AND NOT t.cancel_requested
       RETURNING t.id, t.device_id, t.fence, t.traceparent`,
      [tx.project, ids, IN_FLIGHT, reason, graceSeconds],
    );
  }
}
