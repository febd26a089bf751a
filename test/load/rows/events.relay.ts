import { toCloudEvent, type Transition } from '@muster/contracts';
import { randomUUID } from 'node:crypto';
import type { BenchStack } from '../bench.stack.ts';
import { drained } from '../job.run.ts';
import { publishRunsRate } from '../peers/jetstream-publish.ts';
import type { Row } from './row.ts';

const EVENTS = 200_000;
const PER_ROW = 500;
const LIMIT_MS = 60_000;
const ROUNDS = 2;

/** Events a second from a journal that is behind to the bus that acknowledged them; the faster of two. */
export const eventsRelay: Row = {
  name: 'events.relay',
  measure: async (bench) => {
    const payload = toCloudEvent('job-planner', bench.file.project, exampleTransition());
    const relayed: number[] = [];
    const bare: number[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      bare.push(await publishRunsRate(await bench.stack.nats(), EVENTS, payload));
      relayed.push(await relayRate(bench));
    }
    const [value, reference] = [Math.max(...relayed), Math.max(...bare)];
    return {
      figures: [
        {
          value,
          unit: 'events/s',
          reference: { what: 'JetStream runs of 256', value: reference, unit: 'messages/s' },
          ratio: value / reference,
          target: { atLeast: 0.6 },
        },
      ],
      details: { events: EVENTS, payload_bytes: Buffer.byteLength(payload), relayed, bare },
    };
  },
};

const exampleTransition = (): Transition => ({
  entity: 'job-task',
  id: randomUUID(),
  from: 'Running',
  to: 'Successful',
  version: 3,
  at: Date.now(),
  data: { job_id: randomUUID(), target_id: randomUUID() },
  traceparent: `00-${'1'.repeat(32)}-${'1'.repeat(16)}-01`,
});

/** Its rows become visible all at once, so that the relay finds them waiting, as after a time in which the bus was away. */
async function relayRate(bench: BenchStack): Promise<number> {
  await drained(bench, LIMIT_MS);
  const { entity, from, to, version, at, traceparent } = exampleTransition();
  const common = { from, version, at, reason: '', traceparent };
  const move = { entity, to, ...Object.fromEntries(Object.entries(common).map(([name, all]) => [name, { all }])) };
  const { db, file } = bench;
  await db.query('BEGIN');
  await db.query(
    `INSERT INTO job_planner.journal (project_id, transitions, work, traceparent)
     SELECT $1, jsonb_build_array($4::jsonb || batch.rows), '[]', $2
       FROM generate_series(1, $3::int) AS row
      CROSS JOIN LATERAL (
        SELECT jsonb_build_object('ids', jsonb_agg(gen_random_uuid()), 'data', jsonb_build_object(
                 'job_id', jsonb_build_object('all', gen_random_uuid()), 'target_id', jsonb_agg(gen_random_uuid()))) AS rows
          FROM generate_series(1, $5::int) AS item WHERE row > 0) AS batch`,
    [file.project, traceparent, EVENTS / PER_ROW, JSON.stringify(move), PER_ROW],
  );
  await db.query(`SELECT pg_notify('journal_job_planner', '')`);
  await db.query('COMMIT');
  const began = performance.now();
  await drained(bench, LIMIT_MS);
  return EVENTS / ((performance.now() - began) / 1000);
}
