import type { ServiceName } from '@muster/contracts';

/** What a service is told by its environment, checked once at its start. */
export interface ServiceConfig {
  service: ServiceName;
  /** `MUSTER_DATABASE_URL`: URL of the service's own role. */
  databaseUrl: string;
  /** `MUSTER_NATS_URL`. */
  natsUrl: string;
  /** `MUSTER_HTTP_HOST`, 127.0.0.1 unless told. */
  httpHost: string;
  /** `MUSTER_HTTP_PORT`; 0, which is the default, takes a free one. */
  httpPort: number;
  /** `MUSTER_LOG_LEVEL`: trace, debug, info, warn, error. */
  logLevel: string;
  /** `OTEL_EXPORTER_OTLP_ENDPOINT`: where spans go; nowhere when absent. */
  otlpEndpoint: string | undefined;
}

const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal'];

/** @throws Error naming the variable that is missing or wrong; its value is not repeated, it may hold a password. */
export function readConfig(service: ServiceName, env: NodeJS.ProcessEnv): ServiceConfig {
  const logLevel = env['MUSTER_LOG_LEVEL'] || 'info';
  if (!LOG_LEVELS.includes(logLevel)) throw new Error(`MUSTER_LOG_LEVEL must be one of ${LOG_LEVELS.join(', ')}`);
  return {
    service,
    databaseUrl: requireUrl(env, 'MUSTER_DATABASE_URL', ['postgres:', 'postgresql:']),
    natsUrl: requireUrl(env, 'MUSTER_NATS_URL', ['nats:', 'tls:']),
    httpHost: env['MUSTER_HTTP_HOST'] || '127.0.0.1',
    httpPort: readPort(env, 'MUSTER_HTTP_PORT', 0),
    logLevel,
    otlpEndpoint: env['OTEL_EXPORTER_OTLP_ENDPOINT'] || undefined,
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

function readPort(env: NodeJS.ProcessEnv, name: string, fallback: number): number {
  const value = env[name];
  if (value === undefined || value === '') return fallback;
  const port = Number(value);
  if (!Number.isInteger(port) || port < 0 || port > 65_535)
    throw new Error(`${name} must be a port between 0 and 65535`);
  return port;
}
