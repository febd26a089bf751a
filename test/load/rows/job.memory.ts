import { NotMeasured } from '../figure.ts';
import { hasProc } from '../processes.ts';
import type { JobRun } from '../job.run.ts';
import type { Row } from './row.ts';

const MIB = 2 ** 20;
/** They hold pages for all of us, and their size is a setting. */
const SERVERS = ['postgres', 'nats-server'];

/** Growth of the largest service's peak from N devices to 5 N. */
export const jobMemory: Row = {
  name: 'job.memory',
  measure: async (bench) => {
    if (!hasProc) throw new NotMeasured('this system does not tell the peak of a process');
    const [, small] = await bench.jobs();
    const large = await bench.largeJob();
    const { name, bytes } = largestService(large);
    const before = small.peak_bytes[name]!;
    const growth = bytes / before - 1;
    return {
      figures: [
        {
          value: growth * 100,
          unit: `% (${name}, ${Math.round(bytes / MIB)} MiB)`,
          reference: { what: `${bench.devices} devices`, value: before / MIB, unit: 'MiB' },
          ratio: growth,
          target: { atMost: 0.15 },
        },
      ],
      details: { small: small.peak_bytes, large: large.peak_bytes },
    };
  },
};

function largestService({ peak_bytes }: JobRun): { name: string; bytes: number } {
  return Object.entries(peak_bytes)
    .filter(([name]) => !SERVERS.includes(name) && !name.startsWith('fleet '))
    .map(([name, bytes]) => ({ name, bytes }))
    .reduce((largest, each) => (each.bytes > largest.bytes ? each : largest));
}
