import type { Promised } from '../verdict.ts';

const live = `chaos.event e`;
const gap = (source: string) =>
  `SELECT format('%s %s has %s of %s', entity, id, count(DISTINCT version), max(version)) AS found FROM ${source}
   GROUP BY entity, id HAVING min(version) <> 1 OR max(version) <> count(DISTINCT version)`;

export const events: Promised = {
  promise: 3,
  text: 'per entity the versions of the events are 1..n without a gap, equal to the journal and the rows',
  checks: [
    { what: 'gaps in the events', sql: gap(`chaos.event WHERE round = 'live'`) },
    { what: 'gaps in the journal', sql: gap('chaos.transition') },
    {
      what: 'transitions without their event',
      sql: `SELECT format('%s %s.%s to %s', t.entity, t.id, t.version, t.became) AS found FROM chaos.transition t
            WHERE NOT EXISTS (SELECT FROM ${live} WHERE e.round = 'live' AND e.entity = t.entity AND e.id = t.id AND e.version = t.version
                              AND e.was IS NOT DISTINCT FROM t.was AND e.became = t.became)`,
    },
    {
      what: 'events without their transition',
      sql: `SELECT format('%s %s.%s to %s', e.entity, e.id, e.version, e.became) AS found FROM ${live}
            WHERE e.round = 'live' AND NOT EXISTS (
              SELECT FROM chaos.transition t WHERE t.entity = e.entity AND t.id = e.id AND t.version = e.version
                AND t.was IS NOT DISTINCT FROM e.was AND t.became = e.became)`,
    },
    {
      what: 'moves that do not begin where the one before ended',
      sql: `SELECT format('%s %s.%s from %s', entity, id, version, was) AS found FROM (
              SELECT *, lag(became) OVER (PARTITION BY entity, id ORDER BY version) AS before FROM chaos.transition) t
            WHERE was IS DISTINCT FROM before`,
    },
    {
      what: 'rows that are not as their last transition left them',
      sql: `SELECT format('%s %s is %s.%s, by the journal %s.%s', r.entity, r.id, r.state, r.version, t.became, t.version) AS found
            FROM chaos.row r LEFT JOIN LATERAL (
              SELECT * FROM chaos.transition t WHERE t.entity = r.entity AND t.id = r.id ORDER BY version DESC LIMIT 1) t ON true
            WHERE r.version IS DISTINCT FROM t.version OR r.state IS DISTINCT FROM t.became`,
    },
  ],
  seen: `SELECT format('%s events, %s of them repeated; %s transitions; %s rows', (SELECT count(*) FROM chaos.event WHERE round = 'live'),
           (SELECT count(*) - count(DISTINCT event_id) FROM chaos.event WHERE round = 'live'),
           (SELECT count(*) FROM chaos.transition), (SELECT count(*) FROM chaos.row)) AS seen`,
};
