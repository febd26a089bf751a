import { until } from '../harness/until.ts';
import type { BenchStack } from './bench.stack.ts';

/** How long devices took to come online. */
export interface Connecting {
  devices: number;
  /** From the first hello on the bus until device-state holds all of them as online. */
  seconds: number;
}

/** Registration, at 500 devices a second, and hellos, at as many, take no longer. */
const limitMs = (devices: number) => 60_000 + devices * 4;

/**
 * Starts a fleet and waits until all of it is online. Registration is not in the time. `latency`: milliseconds that a device takes for a command.
 */
export async function connectFleet(
  bench: BenchStack,
  prefix: string,
  devices: number,
  latency?: string,
): Promise<Connecting> {
  const connection = await bench.stack.nats();
  let began: number | undefined;
  connection.subscribe(`muster.dev.${bench.file.project}.*.hello`, {
    max: 1,
    callback: () => (began = performance.now()),
  });
  await connection.flush();
  await bench.fleet(prefix, devices, limitMs(devices), latency);
  await until(
    `${devices} devices online`,
    async () => {
      const { rows } = await bench.db.query<{ online: number }>(
        `SELECT count(*)::int AS online FROM device_state.device WHERE starts_with(name, $1) AND state = 'ONLINE'`,
        [`${prefix}-`],
      );
      return rows[0]!.online === devices;
    },
    { timeout: limitMs(devices), interval: 50 },
  );
  if (began === undefined) throw new Error('no hello was seen on the bus');
  return { devices, seconds: (performance.now() - began) / 1000 };
}
