import type { Promised } from '../verdict.ts';

const round = (name: string) => `SELECT DISTINCT event_id, md5 FROM chaos.published WHERE round = '${name}'`;

export const rebuilt: Promised = {
  promise: 6,
  text: 'after every event stream was deleted, rebuild brought the same events back from the journal',
  checks: [
    {
      what: 'events that did not come back',
      sql: `SELECT event_id AS found FROM (${round('live')} EXCEPT ${round('rebuilt')}) lost`,
    },
    {
      what: 'events that were not there before',
      sql: `SELECT event_id AS found FROM (${round('rebuilt')} EXCEPT ${round('live')}) new`,
    },
  ],
  seen: `SELECT format('%s events before, %s after', count(DISTINCT event_id) FILTER (WHERE round = 'live'),
           count(DISTINCT event_id) FILTER (WHERE round = 'rebuilt')) AS seen FROM chaos.published`,
};
