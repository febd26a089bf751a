import type { BenchStack } from '../bench.stack.ts';
import { compared } from '../figure.ts';
import { MAX_IN_FLIGHT } from '../job.run.ts';
import { asked, timed } from '../timed.ts';
import type { Row } from './row.ts';

const FAMILY = '/api/pipelines/v0';
const OPERATIONS = ['node_upgrade', 'deployment_deploy'];

interface Enveloped {
  content: { id: string; status: string };
}

/** Commands a second of a run of a pipeline with one stage, whose two operations each of N devices carries out, beside the devices a second of a job. */
export const pipelineE2e: Row = {
  name: 'pipeline.e2e',
  measure: async (bench) => {
    const runs = await bench.jobs();
    const pipeline = await define(bench);
    let id = '';
    const seconds = await timed(bench, 'pipeline-run', async () => {
      id = await made(bench, `/pipelines/${pipeline}/runs/`, {});
      return id;
    });
    const { body } = await bench.stack.api<Enveloped>('GET', `${FAMILY}/runs/${id}/`);
    if (body.content.status !== 'success') throw new Error(`the run ended ${body.content.status}`);
    const job = bench.devices / Math.min(...runs.map((run) => run.seconds));
    const reference = { what: 'job.e2e', value: job, unit: 'devices/s' };
    const value = (bench.devices * OPERATIONS.length) / seconds;
    return { figures: [compared({ value, unit: 'commands/s', reference })], details: { seconds } };
  },
};

const made = async (bench: BenchStack, path: string, body: object): Promise<string> =>
  (await asked<Enveloped>(bench, FAMILY + path, body)).content.id;

/** A pipeline of one stage over the N devices, as a group. */
async function define(bench: BenchStack): Promise<string> {
  const order = { name: 'bench', query: { name_prefix: bench.prefix } };
  const { id: device_group_id } = await asked<{ id: string }>(bench, '/api/v1/groups', order);
  const pipeline = await made(bench, '/pipelines/', { name: 'bench' });
  const list = await made(bench, `/pipelines/${pipeline}/targetlists/`, { name: 'all', target_list_type: 'GROUPS' });
  await made(bench, `/pipelines/${pipeline}/targetlists/${list}/devicegroups/`, { device_group_id });
  const rollout = { max_in_flight: MAX_IN_FLIGHT };
  const stage = await made(bench, `/pipelines/${pipeline}/stages/`, { name: 'bench', rollout });
  await made(bench, `/stages/${stage}/targetlists/`, { target_list_id: list });
  const operations = await made(bench, `/stages/${stage}/operationlists/`, { name: 'bench' });
  for (const operation_type of OPERATIONS)
    await made(bench, `/operationlists/${operations}/operations/`, { operation_type, args: { version: '1' } });
  return pipeline;
}
