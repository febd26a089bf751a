import { compared } from '../figure.ts';
import type { Row } from './row.ts';

/** How much longer five times as many devices take. */
export const jobScale: Row = {
  name: 'job.scale',
  measure: async (bench) => {
    const small = Math.min(...(await bench.jobs()).map(({ seconds }) => seconds));
    const run = await bench.largeJob();
    const reference = { what: `${bench.devices} devices`, value: small, unit: 's' };
    return {
      figures: [compared({ value: run.seconds, unit: 's', reference, target: { atMost: 5.5 } })],
      details: { run },
    };
  },
};
