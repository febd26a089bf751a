import { ProjectId, validate } from '@muster/contracts';
import { parseArgs } from 'node:util';
import { UsageError } from '../process/usage.js';
import type { Behaviour } from './behaviour.js';
import { readStackFile, stackFile, type StackFile } from './stack.file.js';

/** Which devices to register: so many of a name, or those of a file of NDJSON lines. */
export type FleetSource = { count: number; prefix: string } | { file: string };

/** What `npm run fleet` is told. */
export interface FleetCommand {
  source: FleetSource;
  behaviour: Behaviour;
  connections: number;
  offlineSeconds?: number;
  /** File that gets a line per execution. */
  executions?: string;
  /** File that gets a line per end. */
  ends?: string;
  gateway: string;
  token: string;
  nats: string;
  /** Path of a NATS credentials file. */
  creds?: string | undefined;
  /** Path of the certificates of authority (PEM) that vouch for the bus. */
  ca?: string | undefined;
  project: string;
}

export const FLEET_USAGE = `Usage: npm run fleet -- (--count N --prefix P | --devices-from FILE) [options]

  --count N             how many devices, named P-00001, P-00002 …
  --prefix P            what their names begin with
  --devices-from FILE   NDJSON, one device a line, instead of --count and --prefix
  --failure-rate X      share of executions that fail, 0 to 1 (0)
  --latency MS[-MS]     milliseconds from a command to its end (10-100)
  --offline-rate X      share of devices that are not there, 0 to 1 (0)
  --offline-seconds N   seconds until those come online (never)
  --duplicate-rate X    share of executions that tell their end twice, 0 to 1 (0)
  --reorder-rate X      share of executions whose first status comes last, 0 to 1 (0)
  --lying X             share of executions told as a success and not carried out, 0 to 1 (0)
  --drifting X          share of convergences after which the device changes something by itself, 0 to 1 (0)
  --failing-versions V[,V]
                        bad releases: whatever upgrades or deploys to one fails, and the device reports it (none)
  --seed S              the same seed, the same fates (muster)
  --connections N       connections that the devices share (4)
  --executions FILE     append a line per execution
  --ends FILE           append a line per end of an execution, with what the device says of it
  --url URL, --token T, --nats URL, --project P
                        the gateway, a token, the bus and the project; those of the stack that runs here by default
  --creds FILE, --ca FILE
                        NATS credentials of the project's devices, and the certificates that vouch for the bus; by default
                        those of the stack that runs here
`;

const OPTIONS = [
  'count',
  'prefix',
  'devices-from',
  'failure-rate',
  'latency',
  'offline-rate',
  'offline-seconds',
  'duplicate-rate',
  'reorder-rate',
  'lying',
  'drifting',
  'failing-versions',
  'seed',
  'connections',
  'executions',
  'ends',
  'url',
  'token',
  'nats',
  'creds',
  'ca',
  'project',
] as const;

type Given = Partial<Record<(typeof OPTIONS)[number], string>>;

/** @throws UsageError naming the option that is missing or cannot be used. */
export function readFleetOptions(args: string[], env: NodeJS.ProcessEnv): FleetCommand {
  const given = parse(args);
  const offlineSeconds = given['offline-seconds'];
  const options: FleetCommand = {
    source: sourceOf(given),
    behaviour: {
      seed: given.seed ?? 'muster',
      failureRate: share(given, 'failure-rate'),
      latency: latencyOf(given.latency ?? '10-100'),
      offlineRate: share(given, 'offline-rate'),
      duplicateRate: share(given, 'duplicate-rate'),
      reorderRate: share(given, 'reorder-rate'),
      lyingRate: share(given, 'lying'),
      driftRate: share(given, 'drifting'),
      failingVersions: versionsOf(given['failing-versions']),
    },
    connections: whole('connections', given.connections ?? '4', 1, 1_000),
    ...(offlineSeconds !== undefined && { offlineSeconds: whole('offline-seconds', offlineSeconds, 0, 2_000_000) }),
    ...(given.executions !== undefined && { executions: given.executions }),
    ...(given.ends !== undefined && { ends: given.ends }),
    ...targetOf(given, env),
  };
  if (validate(ProjectId, options.project).length > 0) {
    throw new UsageError('--project: must be 1 to 40 of a-z, 0-9, -');
  }
  return options;
}

function parse(args: string[]): Given {
  const options = Object.fromEntries(OPTIONS.map((name) => [name, { type: 'string' } as const]));
  try {
    return parseArgs({ args, options }).values;
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
}

function sourceOf(given: Given): FleetSource {
  const file = given['devices-from'];
  if (file !== undefined) {
    if (given.count !== undefined || given.prefix !== undefined) {
      throw new UsageError('--devices-from: cannot be combined with --count or --prefix');
    }
    return { file };
  }
  const { count, prefix } = given;
  if (count === undefined || !prefix) throw new UsageError('--count and --prefix, or --devices-from, are required');
  return { count: whole('count', count, 1, 1_000_000), prefix };
}

/** Where the fleet goes: what the options say, and for the rest the stack that runs here; its secrets are for its own bus alone. */
function targetOf(
  given: Given,
  env: NodeJS.ProcessEnv,
): Pick<FleetCommand, 'gateway' | 'token' | 'nats' | 'creds' | 'ca' | 'project'> {
  const { url, token, nats, creds, ca, project } = given;
  const stack: StackFile | undefined = url && token && nats && project ? undefined : readStackFile(env);
  const bus = nats === undefined ? stack?.nats : undefined;
  const target = {
    gateway: url ?? stack?.gateway.url,
    token: token ?? stack?.token,
    nats: nats ?? bus?.url,
    creds: creds ?? bus?.fleetCreds ?? undefined,
    ca: ca ?? bus?.ca ?? undefined,
    project: project ?? stack?.project,
  };
  if (!target.gateway || !target.token || !target.nats || !target.project) {
    throw new UsageError(
      `no stack runs here (${stackFile(env)}): start one, or give --url, --token, --nats and --project`,
    );
  }
  return target as ReturnType<typeof targetOf>;
}

function share(given: Given, name: keyof Given): number {
  const value = Number(given[name] ?? '0');
  if (given[name]?.trim() === '' || !(value >= 0 && value <= 1)) throw new UsageError(`--${name}: must be 0 to 1`);
  return value;
}

function whole(name: string, text: string, from: number, to: number): number {
  const value = /^\d+$/.test(text) ? Number(text) : NaN;
  if (!(value >= from && value <= to)) throw new UsageError(`--${name}: must be a whole number, ${from} to ${to}`);
  return value;
}

function latencyOf(text: string): Behaviour['latency'] {
  const [, first, second = first] = /^(\d{1,8})(?:-(\d{1,8}))?$/.exec(text) ?? [];
  const latency = { from: Number(first), to: Number(second) };
  if (!(latency.from <= latency.to)) throw new UsageError('--latency: must be milliseconds, MS or MS-MS');
  return latency;
}

function versionsOf(text: string | undefined): string[] {
  const versions = text?.split(',') ?? [];
  if (versions.includes('')) throw new UsageError('--failing-versions: must be versions, V or V,V');
  return versions;
}
