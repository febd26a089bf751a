import { compared } from '../figure.ts';
import { MAX_IN_FLIGHT } from '../job.run.ts';
import { pgBossRate } from '../peers/pg-boss.ts';
import { number } from '../table.ts';
import type { Row } from './row.ts';

let peer: number[] = [];

/** Devices a second of one job, from the HTTP create until it has ended and every event is published; the faster of two. */
export const jobE2e: Row = {
  name: 'job.e2e',
  prepare: async (bench) => {
    const { url } = bench.file.postgres;
    peer = [await pgBossRate(url, bench.devices), await pgBossRate(url, bench.devices)];
  },
  measure: async (bench) => {
    const runs = await bench.jobs();
    const events = runs[0].events!;
    const counted = `events complete: ${number(events.unique)} = ${number(events.transitions)}`;
    if (events.unique !== events.transitions) {
      throw new Error(
        `an outside subscriber counted ${events.unique} events, the tables say ${events.transitions} transitions`,
      );
    }
    const value = bench.devices / Math.min(...runs.map(({ seconds }) => seconds));
    const reference = { what: 'pg-boss', value: Math.max(...peer), unit: 'jobs/s' };
    return {
      figures: [compared({ value, unit: 'devices/s', reference, target: { atLeast: 0.4, later: 1 } })],
      notes: [counted],
      details: { max_in_flight: MAX_IN_FLIGHT, runs, pg_boss_jobs_per_second: peer },
    };
  },
};
