import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { DataFolder } from './data-folder.js';
import type { RegisteredNode } from './gateway-client.js';
import type { NodeProgram } from './node-process.js';
import type { StackDocument } from './stack-file.js';
import { AGENT_SCRIPT, FLEET_SCRIPT, HANDLERS } from './workspace.js';

const AGENTS = 3;
/** Milliseconds that a simulated deployment takes. */
const LATENCY = '200-2000';

/** The machine of a demo is its user's own: no node of it may reboot that. */
const REBOOT_REFUSED = 'echo "a node of the demo cannot reboot" >&2; exit 1';

/** Which nodes are real agents: three of different sites, spread over the list; the rest is simulated. */
export function divide(nodes: readonly RegisteredNode[]): { real: RegisteredNode[]; simulated: RegisteredNode[] } {
  const count = Math.min(AGENTS, nodes.length);
  const chosen = new Set(Array.from({ length: count }, (_, index) => Math.floor((index * nodes.length) / count)));
  return {
    real: nodes.filter((_, index) => chosen.has(index)),
    simulated: nodes.filter((_, index) => !chosen.has(index)),
  };
}

type Program = Omit<NodeProgram, 'log'> & { name: string };

/** Our own variables, those that a Postgres client reads, and whatever else is named like a secret. */
const NOT_FOR_DEVICES = /^(MUSTER_|PG)|(TOKEN|PASSWORD|SECRET)$/;

/** The environment of a program that plays devices: without what opens the installation, because devices are told only their own. */
const deviceEnvironment = (env: NodeJS.ProcessEnv): NodeJS.ProcessEnv =>
  Object.fromEntries(Object.entries(env).filter(([name]) => !NOT_FOR_DEVICES.test(name)));

/** The agent of a node, which deploys its site to `<sites>/<node>`. */
export function agentProgram(
  { id, node }: RegisteredNode,
  folder: DataFolder,
  project: string,
  nats: StackDocument['nats'],
): Program {
  return {
    name: `agent ${node.name}`,
    script: AGENT_SCRIPT,
    args: [
      '--device',
      id,
      '--project',
      project,
      '--nats',
      nats.url,
      ...(nats.fleetCreds === null ? [] : ['--creds', nats.fleetCreds]),
      ...(nats.ca === null ? [] : ['--ca', nats.ca]),
      '--handlers',
      HANDLERS,
      '--state',
      join(folder.agents, node.name),
    ],
    env: {
      ...deviceEnvironment(process.env),
      MUSTER_SITE_DIR: join(folder.sites, node.name),
      MUSTER_NODE_NAME: node.name,
      MUSTER_REBOOT_COMMAND: REBOOT_REFUSED,
      MUSTER_NODE_CITY: typeof node.attributes?.city === 'string' ? node.attributes.city : '',
    },
  };
}

/** The fleet that simulates `nodes`; it learns from the stack file where to connect. */
export async function fleetProgram(
  nodes: readonly RegisteredNode[],
  folder: DataFolder,
  dataDir: string,
  failureRate: number,
): Promise<Program> {
  await writeFile(folder.fleet, nodes.map(({ node }) => `${JSON.stringify(node)}\n`).join(''));
  return {
    name: 'fleet',
    script: FLEET_SCRIPT,
    args: ['--devices-from', folder.fleet, '--failure-rate', String(failureRate), '--latency', LATENCY],
    env: { ...deviceEnvironment(process.env), MUSTER_DATA_DIR: dataDir },
  };
}
