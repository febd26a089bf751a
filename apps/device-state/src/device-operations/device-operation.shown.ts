import type { JsonObject } from '@muster/contracts';
import { differenceOf, isEmpty } from '../devices/difference.js';

/**
 * A device operation that is open and that its device is not known to have shown.
 * @property wanted what the device was asked for; null where it was never asked, which is all that is desired.
 * @property since when it was asked, epoch ms: what the device said before that proves nothing.
 */
export interface Asked {
  id: string;
  wanted: JsonObject | null;
  since: number;
}

/** The ids of those that a reported state proves. `at`: when the bus took the message that made it so, epoch ms. */
export const shownBy = (
  asked: readonly Asked[],
  desired: JsonObject | null,
  reported: JsonObject,
  at: number,
): string[] =>
  asked
    .filter(({ wanted, since }) => at >= since && isEmpty(differenceOf(wanted ?? desired ?? {}, reported)))
    .map(({ id }) => id);

/** SQL over `p`: a device operation whose proof a report may be. The index of those has the same condition. */
const UNPROVEN = `(p.state = 'COMPLETED' OR (p.wanted IS NOT NULL AND p.state IN ('INITIATED', 'DISPATCHED', 'PROCESSING')))`;

/** SQL over the device `t`: whether {@link ASKED} may be anything, which costs a fraction of it. */
const IS_ASKED = `(SELECT EXISTS (SELECT FROM device_operation p WHERE p.project_id = t.project_id AND p.device_id = t.id AND ${UNPROVEN}))`;

/** A device is sent one CONVERGE at a time, and what each asked may be large: of many that wait, these come first. */
const AT_ONCE = 4;

/** SQL over the device `t`: its {@link Asked}, what was sent first, null where there are none. The first state after CREATED is when it was asked. */
export const ASKED = `CASE WHEN ${IS_ASKED} THEN (
  SELECT jsonb_agg(jsonb_build_object(
           'id', p.id, 'wanted', p.wanted, 'since', extract(epoch FROM (p.activity -> 1 ->> 'at')::timestamptz) * 1000))
  FROM (
    SELECT p.id, p.wanted, p.activity FROM device_operation p
    WHERE p.project_id = t.project_id AND p.device_id = t.id AND ${UNPROVEN} AND NOT t.shown ? p.id::text
    ORDER BY p.state = 'INITIATED', p.created_at LIMIT ${AT_ONCE}
  ) p) END`;

/** SQL over the device `t`: what it has shown, with `i.shown`, a JSON text that may be null; what has ended meanwhile is forgotten then. */
export const SHOWN = `CASE WHEN i.shown IS NULL THEN t.shown ELSE i.shown::jsonb || (
  SELECT coalesce(jsonb_agg(p.id), '[]') FROM device_operation p
  WHERE p.project_id = t.project_id AND p.device_id = t.id AND ${UNPROVEN} AND t.shown ? p.id::text) END`;
