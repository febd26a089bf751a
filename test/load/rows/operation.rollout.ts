import type { Operation } from '@muster/contracts';
import type { BenchStack } from '../bench.stack.ts';
import { compared } from '../figure.ts';
import { MAX_IN_FLIGHT } from '../job.run.ts';
import { asked, timed } from '../timed.ts';
import type { Row } from './row.ts';

/** Devices a second of an operation over N devices that goes through them by a rollout, beside the same one without. */
export const operationRollout: Row = {
  name: 'operation.rollout',
  measure: async (bench) => {
    await bench.jobs();
    const without = await seconds(bench, {});
    const rolledOut = await seconds(bench, { rollout: { max_in_flight: MAX_IN_FLIGHT } });
    const reference = { what: 'without a rollout', value: bench.devices / without, unit: 'devices/s' };
    return {
      figures: [compared({ value: bench.devices / rolledOut, unit: 'devices/s', reference })],
      details: { seconds: { without, rolled_out: rolledOut } },
    };
  },
};

async function seconds(bench: BenchStack, how: object): Promise<number> {
  const query = { name_prefix: bench.prefix };
  const body = { operation: 'node_upgrade', operation_device_query: query, arguments: { version: '1' }, ...how };
  let id = '';
  const taken = await timed(bench, 'operation', async () => {
    ({ id } = await asked<Operation>(bench, '/api/v0/operations/', body));
    return id;
  });
  const { body: operation } = await bench.stack.api<Operation>('GET', `/api/v0/operations/${id}/`);
  const { success_device_count } = operation.operation_stats.device_operation_statuses_count;
  if (success_device_count !== bench.devices)
    throw new Error(`the operation ended ${operation.state}: ${operation.reason}`);
  return taken;
}
