import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { Job, NewJob } from '@muster/contracts';
import type { DataFolder } from './data-folder.js';
import { agentProgram, divide, fleetProgram } from './demo-fleet.js';
import { StackError } from './errors.js';
import { GatewayClient, type RegisteredNode } from './gateway-client.js';
import { nodesOf, readInventory } from './inventory.js';
import type { StackOptions } from './options.js';
import { progressLine, Rate } from './progress.js';
import type { Stack } from './stack.js';
import type { Terminal } from './terminal.js';
import { DEFAULT_INVENTORY } from './workspace.js';

const ONLINE_MS = 60_000;
const ONLINE_POLL_MS = 250;
const JOB_POLL_MS = 200;

/** The last line of `npm start -- --once`. */
export interface DemoResult {
  job_id: string;
  status: Job['status'];
  task_total_count: number;
  task_success_count: number;
  task_failed_count: number;
  seconds: number;
  devices_per_second: number;
}

export interface Demo {
  result: DemoResult;
  jobUrl: string;
  /** Names of the nodes that are real agents. */
  agents: string[];
}

/** A release of a storefront's static site, for all nodes. */
const newJob = (targets: string[]): NewJob => {
  const version = new Date().toISOString();
  const site = { kind: 'static-site', name: 'storefront', title: 'Storefront', version };
  return {
    job_name: `storefront-${version.replaceAll(/\D/g, '').slice(0, 14)}`,
    job_type: 'deployment_deploy',
    description: 'Deploys the static site of the storefront to every edge node',
    tags: ['demo'],
    job_content: { target_type: 'node', targets, task_data: JSON.stringify(site) },
  };
};

async function untilOnline(
  client: GatewayClient,
  nodes: readonly RegisteredNode[],
  signal: AbortSignal,
): Promise<void> {
  const ids = new Set(nodes.map(({ id }) => id));
  const deadline = Date.now() + ONLINE_MS;
  for (;;) {
    const online = await client.countOnline(ids);
    if (online === ids.size) return;
    if (Date.now() > deadline)
      throw new StackError(`${ids.size - online} of ${ids.size} nodes are not online after ${ONLINE_MS / 1000} s`);
    await delay(ONLINE_POLL_MS, undefined, { signal });
  }
}

const GOING_ON: readonly Job['status'][] = ['Waiting', 'Running', 'Stopping'];

async function follow(client: GatewayClient, id: string, terminal: Terminal, signal: AbortSignal): Promise<Job> {
  const rate = new Rate();
  for (;;) {
    const asked = performance.now();
    const job = await client.getJob(id);
    const took = performance.now() - asked;
    const line = progressLine(job.progress, rate.add(performance.now() / 1000, job.progress));
    if (!GOING_ON.includes(job.status)) {
      terminal.settle(line);
      return job;
    }
    terminal.draw(line);
    // A job's document grows with its tasks: watching it must not slow it down.
    await delay(Math.max(JOB_POLL_MS, 10 * took), undefined, { signal });
  }
}

/**
 * Registers the fleet, starts it, and deploys a site to all of it with one job.
 * @throws UsageError for the inventory; StackError when a part of it cannot be done; an AbortError on `signal`.
 */
export async function runDemo(
  stack: Stack,
  options: StackOptions,
  folder: DataFolder,
  terminal: Terminal,
  signal: AbortSignal,
): Promise<Demo> {
  const sites = await readInventory(options.inventory ?? DEFAULT_INVENTORY);
  const nodes = nodesOf(sites, options.nodes);
  const client = new GatewayClient(stack.gateway, stack.token, options.project, signal);
  const registered = await client.register(nodes);
  const { real, simulated } = divide(registered);
  const agents = real.map(({ node }) => node.name);
  terminal.say(`${nodes.length} nodes: ${simulated.length} simulated, ${agents.join(', ')} real agents`);

  await stack.startPrograms([
    ...(simulated.length > 0 ? [await fleetProgram(simulated, folder, options.dataDir, options.failureRate)] : []),
    ...real.map((each) => agentProgram(each, folder, options.project, stack.nats)),
  ]);
  await untilOnline(client, registered, signal);

  const job = newJob(registered.map(({ id }) => id));
  terminal.say(`All are online. Job ${job.job_name} deploys a static site to each:`);
  const began = performance.now();
  const id = await client.createJob(job, randomUUID());
  const ended = await follow(client, id, terminal, signal);
  const seconds = (performance.now() - began) / 1000;
  const { status, task_total_count, task_success_count, task_failed_count } = ended;
  return {
    jobUrl: client.jobUrl(id),
    agents,
    result: {
      job_id: id,
      status,
      task_total_count,
      task_success_count,
      task_failed_count,
      seconds: Number(seconds.toFixed(2)),
      devices_per_second: Number((task_total_count / seconds).toFixed(1)),
    },
  };
}
