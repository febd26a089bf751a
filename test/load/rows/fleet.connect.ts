import type { Hello } from '@muster/contracts';
import { compared } from '../figure.ts';
import { publishRate } from '../peers/core-publish.ts';
import type { Row } from './row.ts';

/** Devices a second from the first hello until all are online. */
export const fleetConnect: Row = {
  name: 'fleet.connect',
  measure: async (bench) => {
    const hello: Hello = {
      agent: 'muster-fleet',
      version: '0.1.0',
      boot_id: crypto.randomUUID(),
      reported: { simulated: true },
    };
    const connecting = await bench.connected();
    const value = connecting.devices / connecting.seconds;
    const published = await publishRate(await bench.stack.nats(), connecting.devices, JSON.stringify(hello));
    const reference = { what: 'core publish', value: published, unit: 'messages/s' };
    return {
      figures: [compared({ value, unit: 'devices/s', reference })],
      details: connecting,
    };
  },
};
