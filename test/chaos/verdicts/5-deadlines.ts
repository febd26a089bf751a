import { TOLERANCE_SECONDS } from '../deadlines.ts';
import type { Promised } from '../verdict.ts';

/**
 * The commands that time ended, with the time at which it should have. `strict`: the same, or the end of the last excuse meanwhile; an excuse
 * excuses as long as it lasts and no longer.
 */
const TIMED = `
  SELECT c.*, greatest(c.due, (SELECT max(e."to") FROM chaos.excuse e WHERE e."from" <= c.state_at AND e."to" >= c.due)) AS strict
  FROM (
    SELECT id, code, state_at, CASE WHEN code = 'never_contacted' THEN expires_at ELSE deadline END AS due
    FROM command_dispatcher.command
    WHERE state = 'TIMEOUT' OR (state = 'CANCELLED' AND reason = 'cancelled; the device did not answer')) c`;

export const deadlines: Promised = {
  promise: 5,
  text: `nothing is past its deadline by more than ${TOLERANCE_SECONDS} s while nothing is broken`,
  noted: ({ overdue, due }) => [
    ...[...Map.groupBy(overdue, ({ what }) => what)].map(([what, cases]) => {
      const [worst] = cases.toSorted((a, b) => b.seconds - a.seconds);
      return `overdue was the ${what}: ${cases.length}, such as ${worst!.id} by ${worst!.seconds.toFixed(1)} s at ${new Date(worst!.at).toISOString()}`;
    }),
    ...(due === 0 ? ['nothing was due at a moment at which it could be looked at'] : []),
  ],
  checks: [
    {
      what: 'ended too late',
      sql: `SELECT format('%s (%s) by %s', c.id, c.code, c.state_at - c.strict) AS found FROM (${TIMED}) c
            WHERE c.state_at - c.strict > interval '${TOLERANCE_SECONDS} seconds'`,
    },
    {
      what: 'ended before their time',
      sql: `SELECT format('%s (%s) by %s', c.id, c.code, c.due - c.state_at) AS found FROM (${TIMED}) c WHERE c.state_at < c.due`,
    },
  ],
  seen: `SELECT format('%s commands ended by time, %s of them without an excuse, at most %s s late', count(*),
           count(*) FILTER (WHERE c.strict = c.due), coalesce(round(extract(epoch FROM max(c.state_at - c.strict)), 1), 0)) AS seen
         FROM (${TIMED}) c`,
};
