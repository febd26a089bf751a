import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { ADMIN_TOKEN_RULE, isAdminToken, MAX_LISTED_TARGETS, ProjectId, validate } from '@muster/contracts';
import { messageOf, UsageError } from './errors.js';

/** Each replica opens a pool of sessions, and our Postgres gives out 200. */
const MAX_REPLICAS = 4;

/** What `npm start` is told, checked. */
export interface StackOptions {
  help: boolean;
  /** Run the demo job, then end. */
  once: boolean;
  demo: boolean;
  /** How many nodes the fleet has; undefined: as many as the inventory says. */
  nodes: number | undefined;
  /** Inventory file; undefined: the one of the project. */
  inventory: string | undefined;
  /** Share of the simulated nodes that fail, 0 to 1. */
  failureRate: number;
  dataDir: string;
  /** Port of the gateway; 0: a free one. */
  port: number;
  /** Undefined: made at the first start and kept. */
  adminToken: string | undefined;
  project: string;
  /** A Postgres that is used instead of one of our own. */
  databaseUrl: string | undefined;
  /** A NATS server that is used instead of one of our own. */
  natsUrl: string | undefined;
  /** Credentials file of the services on a NATS server that is not our own. */
  natsCreds: string | undefined;
  /** Credentials file of the demo's devices on such a server. */
  fleetCreds: string | undefined;
  /** Certificates of authority that vouch for the bus, ours or another. */
  natsCa: string | undefined;
  /** Certificate and private key of our own bus, which then encrypts all connections. */
  tls: { cert: string; key: string } | undefined;
  /** How many of each service run. */
  replicas: number;
}

export const HELP = `npm start -- [options]        starts Muster on this machine with a demo fleet; Ctrl-C stops it

  --once                ends after the demo job; the last line of stdout is its result as JSON
  --no-demo             starts the stack alone
  --nodes N             makes the demo fleet N nodes large (1 to ${MAX_LISTED_TARGETS})
  --inventory FILE      takes the sites from a CSV or JSON file with site, name (optional), city, country, country_code,
                        latitude, longitude, timezone
  --failure-rate X      lets this share of the simulated nodes fail (0 to 1)
  --help                shows this

Environment: MUSTER_DATA_DIR (.muster), MUSTER_PORT (8080, 0 takes a free one), MUSTER_ADMIN_TOKEN (else made and printed),
MUSTER_PROJECT (demo), MUSTER_DATABASE_URL and MUSTER_NATS_URL (use these instead of starting our own), MUSTER_LOG_LEVEL (info),
MUSTER_NATS_CREDS and MUSTER_FLEET_CREDS (credentials files of the services and of the demo's devices on a NATS server that is not our own),
MUSTER_TLS_CERT and MUSTER_TLS_KEY (PEM files; our bus then encrypts), MUSTER_NATS_CA (PEM file that vouches for the bus),
MUSTER_REPLICAS (1: how many of each service; further gateways take free ports).
`;

const parse = (args: string[]) => {
  try {
    return parseArgs({
      args,
      options: {
        once: { type: 'boolean', default: false },
        'no-demo': { type: 'boolean', default: false },
        nodes: { type: 'string' },
        inventory: { type: 'string' },
        'failure-rate': { type: 'string', default: '0' },
        help: { type: 'boolean', default: false },
      },
    }).values;
  } catch (error) {
    throw new UsageError(`${messageOf(error).split('\n')[0]!.split('. ')[0]}; --help lists the options`);
  }
};

const number = (name: string, text: string, ok: (value: number) => boolean, rule: string) => {
  const value = Number(text);
  if (text.trim() === '' || !ok(value)) throw new UsageError(`${name} must be ${rule}, not "${text}"`);
  return value;
};

const integerWithin = (from: number, to: number) => (value: number) =>
  Number.isInteger(value) && value >= from && value <= to;

const url = (name: string, text: string | undefined, protocols: readonly string[]) => {
  if (!text) return undefined;
  if (!URL.canParse(text) || !protocols.includes(new URL(text).protocol)) {
    // The value is not repeated, it may hold a password.
    throw new UsageError(`${name} must be a URL that starts with ${protocols.map((each) => `${each}//`).join(' or ')}`);
  }
  return text;
};

/** A file that is there, as an absolute path: processes may run elsewhere. */
const file = (name: string, text: string | undefined) => {
  if (!text) return undefined;
  const path = resolve(text);
  if (!existsSync(path)) throw new UsageError(`${name}: there is no file ${path}`);
  return path;
};

function tlsOf(env: NodeJS.ProcessEnv): StackOptions['tls'] {
  const cert = file('MUSTER_TLS_CERT', env.MUSTER_TLS_CERT);
  const key = file('MUSTER_TLS_KEY', env.MUSTER_TLS_KEY);
  if (cert && key) return { cert, key };
  if (cert || key) throw new UsageError('MUSTER_TLS_CERT and MUSTER_TLS_KEY need each other');
  return undefined;
}

/**
 * @param args what stands behind `npm start --`.
 * @throws UsageError naming the option or variable that cannot be used.
 */
export function readOptions(args: string[], env: NodeJS.ProcessEnv): StackOptions {
  const given = parse(args);
  if (given.once && given['no-demo'])
    throw new UsageError('--once and --no-demo exclude each other: without a demo there is no job');
  const project = env.MUSTER_PROJECT || 'demo';
  if (validate(ProjectId, project).length > 0) {
    throw new UsageError(`MUSTER_PROJECT must be 1 to 40 of a-z, 0-9, -, not "${project}"`);
  }
  const adminToken = env.MUSTER_ADMIN_TOKEN || undefined;
  if (adminToken && !isAdminToken(adminToken)) throw new UsageError(`MUSTER_ADMIN_TOKEN ${ADMIN_TOKEN_RULE}`);
  return {
    help: given.help,
    once: given.once,
    demo: !given['no-demo'],
    nodes:
      given.nodes === undefined
        ? undefined
        : number(
            '--nodes',
            given.nodes,
            integerWithin(1, MAX_LISTED_TARGETS),
            `a whole number from 1 to ${MAX_LISTED_TARGETS}`,
          ),
    inventory: given.inventory === undefined ? undefined : resolve(given.inventory),
    failureRate: number(
      '--failure-rate',
      given['failure-rate'],
      (value) => value >= 0 && value <= 1,
      'a number from 0 to 1',
    ),
    dataDir: resolve(env.MUSTER_DATA_DIR || '.muster'),
    port: number('MUSTER_PORT', env.MUSTER_PORT || '8080', integerWithin(0, 65_535), 'a port from 0 to 65535'),
    adminToken,
    project,
    databaseUrl: url('MUSTER_DATABASE_URL', env.MUSTER_DATABASE_URL, ['postgres:', 'postgresql:']),
    natsUrl: url('MUSTER_NATS_URL', env.MUSTER_NATS_URL, ['nats:', 'tls:']),
    natsCreds: file('MUSTER_NATS_CREDS', env.MUSTER_NATS_CREDS),
    fleetCreds: file('MUSTER_FLEET_CREDS', env.MUSTER_FLEET_CREDS),
    natsCa: file('MUSTER_NATS_CA', env.MUSTER_NATS_CA),
    tls: tlsOf(env),
    replicas: number(
      'MUSTER_REPLICAS',
      env.MUSTER_REPLICAS || '1',
      integerWithin(1, MAX_REPLICAS),
      `a whole number from 1 to ${MAX_REPLICAS}`,
    ),
  };
}
