import type { Promised } from '../verdict.ts';

const live = `chaos.event e`;
const gap = (source: string) =>
  `SELECT format('%s %s has %s of %s', entity, id, count(DISTINCT version), max(version)) AS found FROM ${source}
   GROUP BY entity, id HAVING min(version) <> 1 OR max(version) <> count(DISTINCT version)`;

const noticeGap = (source: string) =>
  `SELECT format('%s %s of %s has %s of %s', entity, name, id, count(DISTINCT number), max(number)) AS found FROM ${source}
   GROUP BY entity, name, id HAVING min(number) <> 1 OR max(number) <> count(DISTINCT number)`;
const notices = (of: string, without: string) =>
  `SELECT format('%s %s.%s.%s', entity, id, name, number) AS found FROM (${of} EXCEPT ${without}) missing`;
const noted = 'SELECT entity, id, name, number FROM chaos.noted';
const heard = `SELECT entity, id, name, number FROM chaos.notice WHERE round = 'live'`;

export const events: Promised = {
  promise: 3,
  text: 'per entity the versions of the events are 1..n without a gap, equal to the journal and the rows, and so are the numbers of its notices',
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
    { what: 'gaps in the notices', sql: noticeGap(`chaos.notice WHERE round = 'live'`) },
    { what: 'gaps in the notices of the journal', sql: noticeGap('chaos.noted') },
    { what: 'notices that were not heard', sql: notices(noted, heard) },
    { what: 'notices that nobody made', sql: notices(heard, noted) },
    {
      what: 'rollouts that told more or less than the journal says',
      sql: `SELECT format('%s told %s, by the journal %s', r.id, r.told, count(n.number)) AS found
            FROM job_planner.rollout r LEFT JOIN chaos.noted n ON n.id = r.id AND n.name = 'progress'
            GROUP BY r.id, r.told HAVING r.told <> count(n.number)`,
    },
  ],
  seen: `SELECT format('%s events, %s of them repeated; %s transitions; %s rows; %s notices',
           (SELECT count(*) FROM chaos.published WHERE round = 'live'),
           (SELECT count(*) - count(DISTINCT event_id) FROM chaos.published WHERE round = 'live'),
           (SELECT count(*) FROM chaos.transition), (SELECT count(*) FROM chaos.row), (SELECT count(*) FROM chaos.noted)) AS seen`,
};
