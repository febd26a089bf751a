import type { ServiceName } from '@muster/contracts';
import { accessSync, constants } from 'node:fs';
import { DEFAULT_EVENT_LIMITS, type EventLimits } from '@muster/messaging';

/** What a service is told by its environment, checked once at its start. */
export interface ServiceConfig {
  service: ServiceName;
  /** `MUSTER_DATABASE_URL`: URL of the service's own role. */
  databaseUrl: string;
  /** `MUSTER_NATS_URL`; with `tls://` it is never spoken to in the clear. */
  natsUrl: string;
  /** `MUSTER_NATS_CREDS`: path of the credentials file of the service's user; none for a bus without users. */
  natsCreds: string | undefined;
  /** `MUSTER_NATS_CA`: path of the certificates of authority (PEM) that vouch for the bus; the system's own when absent. */
  natsCa: string | undefined;
  /** `MUSTER_HTTP_HOST`, 127.0.0.1 unless told. */
  httpHost: string;
  /** `MUSTER_HTTP_PORT`; 0, which is the default, takes a free one. */
  httpPort: number;
  /** `MUSTER_LOG_LEVEL`: trace, debug, info, warn, error. */
  logLevel: string;
  /** `OTEL_EXPORTER_OTLP_ENDPOINT`: where spans go; nowhere when absent. */
  otlpEndpoint: string | undefined;
  /** `MUSTER_EVENT_DAYS` and `MUSTER_EVENT_GIB`: how long and how much of the service's events its stream keeps. */
  events: EventLimits;
  /** `MUSTER_JOURNAL_DAYS`: whole days that the journal goes back; no fewer than the events', so that a rebuild brings all of them back. */
  journalDays: number;
  /** `MUSTER_HISTORY_DAYS`: for how long after its end the details of finished work are kept. */
  historyDays: number;
}

/** Chosen by the arithmetic of docs/retention.md. */
const DEFAULT_HISTORY_DAYS = 30;
const MOST_DAYS = 3_650;
const MOST_GIB = 1_048_576;

const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal'];

/** @throws Error naming the variable that is missing or wrong; its value is not repeated, it may hold a password. */
export function readConfig(service: ServiceName, env: NodeJS.ProcessEnv): ServiceConfig {
  const logLevel = env['MUSTER_LOG_LEVEL'] || 'info';
  if (!LOG_LEVELS.includes(logLevel)) throw new Error(`MUSTER_LOG_LEVEL must be one of ${LOG_LEVELS.join(', ')}`);
  const events = {
    days: readCount(env, 'MUSTER_EVENT_DAYS', DEFAULT_EVENT_LIMITS.days, MOST_DAYS),
    gib: readCount(env, 'MUSTER_EVENT_GIB', DEFAULT_EVENT_LIMITS.gib, MOST_GIB),
  };
  const journalDays = readCount(env, 'MUSTER_JOURNAL_DAYS', events.days, MOST_DAYS);
  if (journalDays < events.days) throw new Error('MUSTER_JOURNAL_DAYS must be no less than MUSTER_EVENT_DAYS');
  return {
    service,
    databaseUrl: requireUrl(env, 'MUSTER_DATABASE_URL', ['postgres:', 'postgresql:']),
    natsUrl: requireUrl(env, 'MUSTER_NATS_URL', ['nats:', 'tls:']),
    natsCreds: readFile(env, 'MUSTER_NATS_CREDS'),
    natsCa: readFile(env, 'MUSTER_NATS_CA'),
    httpHost: env['MUSTER_HTTP_HOST'] || '127.0.0.1',
    httpPort: readPort(env, 'MUSTER_HTTP_PORT', 0),
    logLevel,
    otlpEndpoint: env['OTEL_EXPORTER_OTLP_ENDPOINT'] || undefined,
    events,
    journalDays,
    historyDays: readCount(env, 'MUSTER_HISTORY_DAYS', DEFAULT_HISTORY_DAYS, MOST_DAYS),
  };
}

function requireUrl(env: NodeJS.ProcessEnv, name: string, protocols: string[]): string {
  const value = env[name];
  if (!value) throw new Error(`${name} is not set`);
  if (!URL.canParse(value) || !protocols.includes(new URL(value).protocol)) {
    throw new Error(
      `${name} must be a URL that starts with ${protocols.map((protocol) => `${protocol}//`).join(' or ')}`,
    );
  }
  return value;
}

/** The path of a file that can be read. */
function readFile(env: NodeJS.ProcessEnv, name: string): string | undefined {
  const path = env[name];
  if (!path) return undefined;
  try {
    accessSync(path, constants.R_OK);
    return path;
  } catch {
    throw new Error(`${name} names ${path}, which cannot be read`);
  }
}

function readCount(env: NodeJS.ProcessEnv, name: string, fallback: number, most: number): number {
  const value = env[name];
  if (value === undefined || value === '') return fallback;
  const count = Number(value);
  if (!Number.isInteger(count) || count < 1 || count > most)
    throw new Error(`${name} must be a whole number from 1 to ${most}`);
  return count;
}

function readPort(env: NodeJS.ProcessEnv, name: string, fallback: number): number {
  const value = env[name];
  if (value === undefined || value === '') return fallback;
  const port = Number(value);
  if (!Number.isInteger(port) || port < 0 || port > 65_535)
    throw new Error(`${name} must be a port between 0 and 65535`);
  return port;
}
