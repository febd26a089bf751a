import { TOLERANCE_SECONDS } from '../deadlines.ts';
import type { Promised } from '../verdict.ts';

/**
 * A command may end without its device's word only because its time was over, or that of its cancel; and a word that was told in time may be
 * missed only when something was broken between then and the deadline.
 */
const TIME_WAS_OVER = `(c.state = 'TIMEOUT' OR (c.state = 'CANCELLED' AND c.cancel_requested)) AND c.state_at >= c.deadline
  AND (t.at >= c.deadline - interval '${TOLERANCE_SECONDS} seconds'
    OR EXISTS (SELECT FROM chaos.excuse e WHERE e."from" <= c.deadline AND e."to" >= t.at))`;

export const executions: Promised = {
  promise: 2,
  text: 'each device executed each command at most once per fence, and its success is SUCCESS',
  checks: [
    {
      what: 'executed more than once',
      sql: `SELECT format('%s fence %s on %s, %s times', command_id, fence, device_id, count(*)) AS found FROM chaos.execution
            GROUP BY device_id, command_id, fence HAVING count(*) > 1`,
    },
    {
      what: 'executed by a device that it was not for, or with a fence that it never had',
      sql: `SELECT format('%s fence %s on %s', e.command_id, e.fence, e.device_id) AS found
            FROM chaos.execution e LEFT JOIN command_dispatcher.command c ON c.id = e.command_id AND c.device_id = e.device_id
            WHERE c.id IS NULL OR e.fence > c.fence OR (e.fence < c.fence AND c.attempt = 1)`,
    },
    {
      what: 'success that was told and is not SUCCESS',
      sql: `SELECT format('%s is %s (%s)', c.id, c.state, c.code) AS found
            FROM chaos.told t JOIN command_dispatcher.command c ON c.id = t.command_id AND c.fence = t.fence
            WHERE t.status = 'success' AND c.state <> 'SUCCESS' AND NOT (${TIME_WAS_OVER})`,
    },
    {
      what: 'SUCCESS that no device told',
      sql: `SELECT c.id AS found FROM command_dispatcher.command c
            WHERE c.state = 'SUCCESS' AND NOT EXISTS (
              SELECT FROM chaos.told t WHERE t.command_id = c.id AND t.device_id = c.device_id AND t.status = 'success')`,
    },
  ],
  seen: `SELECT format('%s executions, %s told as success, %s of them too late for their deadline', (SELECT count(*) FROM chaos.execution),
           (SELECT count(*) FROM chaos.told WHERE status = 'success'),
           (SELECT count(*) FROM chaos.told t JOIN command_dispatcher.command c ON c.id = t.command_id
            WHERE t.status = 'success' AND c.state <> 'SUCCESS')) AS seen`,
};
