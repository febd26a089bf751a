import { batch, type Tx } from '@muster/journal';
import { retryPause } from '@muster/schedule';
import { Injectable } from '@nestjs/common';
import { ENDED_COLUMNS, toEnded, type Ended, type Resting } from './command.end.js';
import { IN_FLIGHT } from './command.lifecycle.js';
import { commandTable } from './command.table.js';
import { windowColumns, windowsOf } from './command.windows.js';
import { RequestFacts, type SharedRequest } from './request.facts.js';

/** An attempt that came to nothing, of a command whose request has rules for trying again. */
export interface Attempt {
  id: string;
  state: 'FAILURE' | 'TIMEOUT';
  reason: string;
  code: string;
  evidence: Record<string, unknown> | null;
}

interface Tried {
  id: string;
  request_id: string;
  attempt: number;
  cancel_requested: boolean;
  timezone: string | null;
  window_opens: Date | null;
  window_closes: Date | null;
  expires_at: Date;
}

/** When a command is tried again, and the window that it is in then. */
interface Again {
  at: number;
  window: { opens: number; closes: number } | null;
}

/** Ends commands, or has them tried again where a rule of their request says so. */
@Injectable()
export class CommandRetry {
  constructor(private readonly facts: RequestFacts) {}

  /** Of these attempts, those that were the last, and those that another one follows. Their lanes must be locked by the transaction. */
  async end(tx: Tx, attempts: readonly Attempt[]): Promise<{ ended: Ended[]; resting: Resting[] }> {
    if (attempts.length === 0) return { ended: [], resting: [] };
    const tried = await tx.query<Tried>(
      `SELECT id, request_id, attempt, cancel_requested, timezone, window_opens, window_closes, expires_at FROM command
       JOIN ${batch(['$2::uuid[]'], ['id'])} USING (project_id, id) WHERE state = ANY($3)`,
      [tx.project, attempts.map(({ id }) => id), IN_FLIGHT],
    );
    const facts = await this.facts.of(
      tx,
      tried.map((command) => command.request_id),
    );
    const standing = new Map(tried.map((command) => [command.id, command]));
    const again = new Map<string, Again>();
    for (const attempt of attempts) {
      const command = standing.get(attempt.id);
      const next = command && nextAttempt(command, attempt, facts.get(command.request_id)!, Date.now());
      if (next) again.set(attempt.id, next);
    }
    const last = attempts.filter(({ id }) => !again.has(id));
    const ended = [...(await this.finish(tx, 'FAILURE', last)), ...(await this.finish(tx, 'TIMEOUT', last))];
    const resting = await this.rest(
      tx,
      attempts.filter(({ id }) => again.has(id)),
      again,
    );
    return { ended, resting };
  }

  private async finish(tx: Tx, state: Attempt['state'], attempts: readonly Attempt[]): Promise<Ended[]> {
    const ofState = attempts.filter((attempt) => attempt.state === state);
    const moved = await tx.transition(commandTable, state, {
      ids: ofState.map(({ id }) => id),
      from: IN_FLIGHT,
      each: {
        reason: ofState.map(({ reason }) => reason),
        code: ofState.map(({ code }) => code),
        evidence: ofState.map(({ evidence }) => evidence),
      },
      set: { due_at: null },
      returning: ENDED_COLUMNS,
    });
    return toEnded(state, moved);
  }

  private async rest(tx: Tx, attempts: readonly Attempt[], again: ReadonlyMap<string, Again>): Promise<Resting[]> {
    const nexts = attempts.map(({ id }) => again.get(id)!);
    const moved = await tx.transition(commandTable, 'SCHEDULED', {
      ids: attempts.map(({ id }) => id),
      from: IN_FLIGHT,
      each: {
        reason: attempts.map(({ reason }) => reason),
        code: attempts.map(({ code }) => code),
        due_at: nexts.map(({ at }) => new Date(at)),
        ...windowColumns(nexts.map(({ window }) => window)),
      },
      given: { outcome: { type: 'text', values: attempts.map(({ state }) => state) } },
      set: { deadline: null, sends: 0, progress: null },
      compute: {
        failures: `t.failures || jsonb_build_object('attempt', t.attempt, 'state', i.outcome, 'reason', i.reason, 'code', i.code, 'at', clock_timestamp())`,
      },
      returning: ['device_id'],
    });
    return moved.map(({ id, row }) => ({ id, device_id: row['device_id'] as string }));
  }
}

/** Undefined where no rule fits, where the next attempt would come too late, and of what is to be cancelled. */
function nextAttempt(command: Tried, { state, code }: Attempt, request: SharedRequest, now: number): Again | undefined {
  const { retry = [], schedule } = request.terms;
  if (command.cancel_requested) return undefined;
  const outcome = state === 'FAILURE' ? 'failed' : 'timed_out';
  const pause = retryPause(retry, { outcome, code, attempt: command.attempt }, Math.random());
  if (pause === undefined) return undefined;
  const at = now + pause;
  if (at >= command.expires_at.getTime()) return undefined;
  if (!schedule) return { at, window: null };
  const { window_opens: opens, window_closes: closes } = command;
  if (opens && closes && at < closes.getTime())
    return { at, window: { opens: opens.getTime(), closes: closes.getTime() } };
  // A recurring command has its own window; in the next one it has a successor.
  const window = schedule.schedule === 'WINDOW' ? windowsOf(schedule)(command.timezone, at) : null;
  if (!window || window.opens >= command.expires_at.getTime()) return undefined;
  return { at: Math.max(at, window.opens), window };
}
