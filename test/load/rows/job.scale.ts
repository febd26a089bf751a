import type { Row } from './row.ts';

/** How much longer five times as many devices take. */
export const jobScale: Row = {
  name: 'job.scale',
  measure: async (bench) => {
    const small = Math.min(...(await bench.jobs()).map(({ seconds }) => seconds));
    const run = await bench.largeJob();
    const ratio = run.seconds / small;
    return {
      figures: [
        {
          value: run.seconds,
          unit: 's',
          reference: { what: `${bench.devices} devices`, value: small, unit: 's' },
          ratio,
          target: { atMost: 5.5 },
        },
      ],
      details: { run },
    };
  },
};
