import type { TargetRunState } from '@muster/contracts';
import { batch, type Tx } from '@muster/journal';
import { Injectable } from '@nestjs/common';
import { targetRunTable } from './target-run.table.js';

/** A target run that is asked for, with the command of its present try. */
export interface Requested {
  id: string;
  command_id: string;
  attempts: number;
}

/** How a target run ends, in words. */
export interface TargetRunEnd {
  id: string;
  /** SUCCESS, FAILURE, TIMEOUT or CANCELLED, as its command; empty where it never had one. */
  command_status: string;
  reason: string;
  /** Of the command; empty where it has none. */
  code: string;
}

/** SQL over `t`: the command of its last try has ended, and it has no other yet. */
const IS_BETWEEN_TRIES = `t.command_status IN ('SUCCESS', 'FAILURE', 'TIMEOUT', 'CANCELLED')`;

/** Moves target runs along their table; what has passed a state already is left where it is. */
@Injectable()
export class TargetRunMoves {
  /** Their commands were asked for, for the first time or once more. */
  async request(tx: Tx, runs: readonly Requested[]): Promise<void> {
    const ids = runs.map(({ id }) => id);
    await this.queue(tx, ids);
    await tx.transition(targetRunTable, 'processing', { ids, compute: { updated_at: 'now()', started_at: 'now()' } });
    await tx.query(
      `UPDATE target_run t SET command_id = i.command, attempts = i.attempts, command_status = 'QUEUED', reason = '', code = '',
         updated_at = now()
       FROM ${batch(['$2::uuid[]', '$3::uuid[]', '$4::integer[]'], ['id', 'command', 'attempts'])}
       WHERE t.project_id = i.project_id AND t.id = i.id AND t.command_id IS DISTINCT FROM i.command`,
      [tx.project, ids, runs.map(({ command_id }) => command_id), runs.map(({ attempts }) => attempts)],
    );
  }

  /** Their commands wait in the queues of their devices. */
  async dispatch(tx: Tx, ids: readonly string[]): Promise<void> {
    await tx.transition(targetRunTable, 'dispatched', { ids, compute: { updated_at: 'now()' } });
  }

  /** Their commands were sent. */
  async run(tx: Tx, ids: readonly string[], command_status: string): Promise<void> {
    await this.dispatch(tx, ids);
    await tx.transition(targetRunTable, 'running', { ids, compute: { updated_at: 'now()' } });
    await tx.query(
      `UPDATE target_run t SET command_status = $3 FROM ${batch(['$2::uuid[]'], ['id'])}
       WHERE t.project_id = i.project_id AND t.id = i.id AND t.state = 'running'`,
      [tx.project, ids, command_status],
    );
  }

  /** The commands of tries have ended, and others follow: until then they show what these came to. */
  async endTry(tx: Tx, ends: readonly TargetRunEnd[]): Promise<void> {
    const ids = ends.map(({ id }) => id);
    await this.dispatch(tx, ids);
    await tx.query(
      `UPDATE target_run t SET command_status = i.status, reason = i.reason, code = i.code, updated_at = now()
       FROM ${batch(['$2::uuid[]', '$3::text[]', '$4::text[]', '$5::text[]'], ['id', 'status', 'reason', 'code'])}
       WHERE t.project_id = i.project_id AND t.id = i.id AND t.state IN ('dispatched', 'running')`,
      [
        tx.project,
        ids,
        ends.map(({ command_status }) => command_status),
        ends.map(({ reason }) => reason),
        ends.map(({ code }) => code),
      ],
    );
  }

  /** Their commands have ended; those that never reached their devices were at least queued for them. */
  async complete(tx: Tx, ends: readonly TargetRunEnd[], to: 'success' | 'failure'): Promise<void> {
    const ids = ends.map(({ id }) => id);
    await this.dispatch(tx, ids);
    if (to === 'success') await tx.transition(targetRunTable, 'running', { ids, compute: { updated_at: 'now()' } });
    await tx.transition(targetRunTable, 'complete', {
      ids,
      each: {
        reason: ends.map(({ reason }) => reason),
        code: ends.map(({ code }) => code),
      },
      given: { status: { type: 'text', values: ends.map((end) => end.command_status) } },
      compute: {
        updated_at: 'now()',
        ended_at: 'now()',
        command_status: `CASE WHEN ${IS_BETWEEN_TRIES} THEN t.command_status ELSE i.status END`,
      },
    });
    await tx.transition(targetRunTable, to, { ids, each: { reason: ends.map(({ reason }) => reason) } });
  }

  /**
   * They never come to anything; those that were dispatched are left alone. The command of a try that goes on was
   * cancelled.
   */
  async giveUp(
    tx: Tx,
    ids: readonly string[],
    to: Extract<TargetRunState, 'cancelled' | 'invalid' | 'timeout'>,
    reason: string,
  ): Promise<void> {
    await tx.transition(targetRunTable, to, {
      ids,
      ...(to !== 'timeout' && { from: to === 'invalid' ? ['pending'] : ['pending', 'queued', 'processing'] }),
      set: { reason },
      compute: {
        updated_at: 'now()',
        ended_at: 'now()',
        command_status: `CASE WHEN t.command_id IS NULL OR ${IS_BETWEEN_TRIES} THEN t.command_status ELSE 'CANCELLED' END`,
      },
    });
  }

  /** Of those of a device, this one and what follows it, as far as they have not ended. */
  async from(tx: Tx, id: string): Promise<string[]> {
    const rows = await tx.query<{ id: string }>(
      `SELECT n.id FROM target_run r
       JOIN target_run n ON n.project_id = r.project_id AND n.stage_device_id = r.stage_device_id AND n.step >= r.step
       WHERE r.project_id = $1 AND r.id = $2 AND n.ended_at IS NULL`,
      [tx.project, id],
    );
    return rows.map((row) => row.id);
  }

  /** Notes who acted on them. */
  async touch(tx: Tx, ids: readonly string[], by: number): Promise<void> {
    await tx.query(
      `UPDATE target_run t SET updated_by = $3, updated_at = now() FROM ${batch(['$2::uuid[]'], ['id'])}
       WHERE t.project_id = i.project_id AND t.id = i.id`,
      [tx.project, ids, by],
    );
  }

  /** It is their turn. */
  private async queue(tx: Tx, ids: readonly string[]): Promise<void> {
    await tx.transition(targetRunTable, 'queued', { ids, compute: { updated_at: 'now()' } });
  }
}
