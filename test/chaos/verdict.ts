import type { Tables } from './database.ts';
import type { Overdue } from './deadlines.ts';

/** What a verdict looks at: the tables of the product and of the run, and what was seen while it ran. */
export interface Evidence {
  database: Tables;
  /** What did not come to its end in time. */
  leftovers: readonly string[];
  /** Refusals that should not have been, and requests that were never answered. */
  refused: readonly string[];
  overdue: readonly Overdue[];
  /** How many deadlines came while it was looked. */
  due: number;
}

/** One thing that must not be found. `sql` gives a row `found` for each case of it. */
export interface Check {
  what: string;
  sql: string;
}

/** One promise, and how it is checked. */
export interface Promised {
  promise: number;
  text: string;
  checks: readonly Check[];
  /** A statement that gives one row `seen`: how much was looked at, in words. */
  seen: string;
  /** What was seen while the run went on. */
  noted?: (evidence: Evidence) => string[];
}

export interface Verdict {
  promise: number;
  text: string;
  seen: string;
  /** Why it is broken; nothing: it holds. */
  broken: string[];
}

/** Cases that are named; the rest is counted. */
const NAMED = 3;

export async function judge(promised: Promised, evidence: Evidence): Promise<Verdict> {
  const { database } = evidence;
  const broken = promised.noted?.(evidence) ?? [];
  for (const { what, sql } of promised.checks) {
    const rows = await database.query<{ found: string; total: number }>(
      `SELECT found::text, (count(*) OVER ())::int AS total FROM (${sql}) AS cases LIMIT ${NAMED}`,
    );
    if (rows.length > 0) broken.push(`${what}: ${rows[0]!.total}, such as ${rows.map((row) => row.found).join(', ')}`);
  }
  const [row] = await database.query<{ seen: string }>(promised.seen);
  return { promise: promised.promise, text: promised.text, seen: row?.seen ?? '', broken };
}

/** One line for the promise, and one for each reason why it is broken. */
export function verdictLines({ promise, text, seen, broken }: Verdict): string[] {
  return [
    `promise ${promise} ${broken.length === 0 ? 'holds ' : 'BROKEN'}  ${text} (${seen})`,
    ...broken.map((why) => `  ${why}`),
  ];
}
