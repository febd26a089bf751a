import { serviceUser } from '@muster/bus-auth';
import { busWithUsers } from '@muster/bus-auth/testing';
import { provision } from '@muster/persistence';
import { startService, type RunningService } from '@muster/service';
import { testPostgres } from '@muster/testing';
import type { NatsConnection } from 'nats';
import pg from 'pg';
import { gateway } from '../gateway.js';

export const ADMIN_TOKEN = 'admin-token-of-the-test';

export interface Answer {
  status: number;
  headers: Headers;
  text: string;
  /** The body, parsed as JSON. */
  json: <T = Record<string, unknown>>() => T;
}

export interface Ask {
  /** The installation's unless told; null: none. */
  token?: string | null;
  headers?: Record<string, string>;
  /** A value goes as JSON; text goes as it is. */
  body?: unknown;
}

/** The real gateway in this process, on servers of its own, and a connection to the bus for the services behind it. */
export interface TestGateway {
  url: string;
  bus: NatsConnection;
  running: RunningService;
  sql: (text: string, values?: unknown[]) => Promise<Record<string, unknown>[]>;
  ask: (method: string, path: string, ask?: Ask) => Promise<Answer>;
  /** A new token of the given role. */
  token: (role: string, project?: string) => Promise<string>;
  /** Ends the gateway and starts it on the same data. */
  restart: (env?: NodeJS.ProcessEnv) => Promise<void>;
  stop: () => Promise<void>;
}

export async function startGateway(): Promise<TestGateway> {
  const [postgres, users] = await Promise.all([testPostgres(), busWithUsers()]);
  const creds = await users.keep(await serviceUser(users.signer, 'gateway'));
  const admin = await postgres.createDatabase();
  const urls = await provision(admin, [{ name: 'gateway', password: 'secret' }]);
  const database = new pg.Client({ connectionString: urls['gateway'] });
  await database.connect();
  const bus = await users.administrator();
  const start = (env: NodeJS.ProcessEnv) => {
    const whole = {
      MUSTER_DATABASE_URL: urls['gateway'],
      MUSTER_NATS_URL: users.nats.url,
      MUSTER_NATS_CREDS: creds,
      MUSTER_PORT: '0',
      MUSTER_LOG_LEVEL: 'fatal',
      MUSTER_ADMIN_TOKEN: ADMIN_TOKEN,
      ...env,
    };
    return startService(gateway(whole), whole);
  };
  let running = await start({});

  const ask: TestGateway['ask'] = async (method, path, { token = ADMIN_TOKEN, headers = {}, body } = {}) => {
    const isText = typeof body === 'string';
    const response = await fetch(running.url + path, {
      method,
      headers: {
        ...(token !== null && { authorization: `Bearer ${token}` }),
        ...(body !== undefined && { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body !== undefined && { body: isText ? body : JSON.stringify(body) }),
    });
    const text = await response.text();
    return {
      status: response.status,
      headers: response.headers,
      text,
      json: <T>() => JSON.parse(text) as T,
    };
  };

  return {
    get url() {
      return running.url;
    },
    get running() {
      return running;
    },
    bus,
    ask,
    sql: async (text, values) => (await database.query<Record<string, unknown>>(text, values)).rows,
    token: async (role, project) => {
      const answer = await ask('POST', '/api/v1/tokens', { body: { name: `a ${role}`, role, project } });
      if (answer.status !== 201) throw new Error(answer.text);
      return answer.json<{ token: string }>().token;
    },
    restart: async (env = {}) => {
      await running.stop();
      running = await start(env);
    },
    stop: async () => {
      await running.stop();
      await database.end();
      await users.stop();
      await postgres.stop();
    },
  };
}
