import { setTimeout as delay } from 'node:timers/promises';
import { NotMeasured } from '../figure.ts';
import { drained } from '../job.run.ts';
import { cpuSeconds, difference, hasProc } from '../processes.ts';
import type { Row } from './row.ts';

/** Every device beats once in that time. */
const WATCHED_MS = 30_000;
const QUIET_MS = 30_000;

/** CPU of the product and its servers while N devices do nothing but beat; the fleet itself is not in it. */
export const idle: Row = {
  name: 'idle',
  measure: async (bench) => {
    if (!hasProc) throw new NotMeasured('this system does not tell the CPU time of a process');
    await bench.connected();
    await drained(bench, QUIET_MS);
    const processes = await bench.services();
    const before = await cpuSeconds(processes);
    const began = performance.now();
    await delay(WATCHED_MS);
    const seconds = (performance.now() - began) / 1000;
    const used = difference(before, await cpuSeconds(processes));
    const share = [...used.values()].reduce((sum, each) => sum + each, 0) / seconds;
    return {
      figures: [
        {
          value: share * 100,
          unit: '% of a core',
          reference: { what: 'one core', value: 100, unit: '%' },
          ratio: share,
          target: { atMost: 0.1 },
        },
      ],
      details: { devices: bench.devices, seconds, cpu_seconds: Object.fromEntries(used) },
    };
  },
};
