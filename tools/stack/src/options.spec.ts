import { resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { UsageError } from './errors.js';
import { readOptions } from './options.js';

/** A file that is there. */
const HERE = import.meta.filename;

describe('readOptions', () => {
  it('given nothing, then the defaults hold', () => {
    expect(readOptions([], {})).toEqual({
      help: false,
      once: false,
      demo: true,
      nodes: undefined,
      inventory: undefined,
      failureRate: 0,
      dataDir: resolve('.muster'),
      port: 8080,
      adminToken: undefined,
      project: 'demo',
      databaseUrl: undefined,
      natsUrl: undefined,
      natsCreds: undefined,
      fleetCreds: undefined,
      natsCa: undefined,
      tls: undefined,
      replicas: 1,
    });
  });

  it('given every option and variable, then each is taken', () => {
    const args = ['--once', '--nodes', '12', '--inventory', 'a.csv', '--failure-rate', '0.25'];
    const env = {
      MUSTER_DATA_DIR: '/data',
      MUSTER_PORT: '0',
      MUSTER_ADMIN_TOKEN: 'secret-secret-secret',
      MUSTER_PROJECT: 'acme',
      MUSTER_DATABASE_URL: 'postgres://a@b/c',
      MUSTER_NATS_URL: 'nats://b',
      MUSTER_NATS_CREDS: HERE,
      MUSTER_FLEET_CREDS: HERE,
      MUSTER_NATS_CA: HERE,
      MUSTER_TLS_CERT: HERE,
      MUSTER_TLS_KEY: HERE,
      MUSTER_REPLICAS: '2',
    };

    expect(readOptions(args, env)).toEqual({
      help: false,
      once: true,
      demo: true,
      nodes: 12,
      inventory: resolve('a.csv'),
      failureRate: 0.25,
      dataDir: '/data',
      port: 0,
      adminToken: 'secret-secret-secret',
      project: 'acme',
      databaseUrl: 'postgres://a@b/c',
      natsUrl: 'nats://b',
      natsCreds: HERE,
      fleetCreds: HERE,
      natsCa: HERE,
      tls: { cert: HERE, key: HERE },
      replicas: 2,
    });
  });

  it.each([
    [['--bogus'], {}, "Unknown option '--bogus'"],
    [['extra'], {}, "Unexpected argument 'extra'"],
    [['--nodes', '0'], {}, '--nodes must be a whole number from 1 to 10000, not "0"'],
    [['--nodes', '1.5'], {}, '--nodes'],
    [['--nodes', '10001'], {}, '--nodes'],
    [['--failure-rate', '1.1'], {}, '--failure-rate must be a number from 0 to 1'],
    [['--failure-rate', ''], {}, '--failure-rate'],
    [['--once', '--no-demo'], {}, '--once and --no-demo'],
    [[], { MUSTER_PORT: '65536' }, 'MUSTER_PORT must be a port'],
    [[], { MUSTER_PROJECT: 'Upper' }, 'MUSTER_PROJECT must be'],
    [[], { MUSTER_PROJECT: 'a'.repeat(41) }, 'MUSTER_PROJECT must be'],
    [[], { MUSTER_ADMIN_TOKEN: 'two words, long enough' }, 'MUSTER_ADMIN_TOKEN'],
    [[], { MUSTER_ADMIN_TOKEN: 'short' }, 'MUSTER_ADMIN_TOKEN must be 16 to 512'],
    [
      [],
      { MUSTER_DATABASE_URL: 'mysql://root:hidden@b/c' },
      'MUSTER_DATABASE_URL must be a URL that starts with postgres://',
    ],
    [[], { MUSTER_NATS_URL: 'nonsense' }, 'MUSTER_NATS_URL must be a URL'],
    [[], { MUSTER_NATS_CREDS: '/no/such' }, 'MUSTER_NATS_CREDS: there is no file /no/such'],
    [[], { MUSTER_TLS_CERT: HERE }, 'MUSTER_TLS_CERT and MUSTER_TLS_KEY need each other'],
    [[], { MUSTER_REPLICAS: '0' }, 'MUSTER_REPLICAS must be a whole number from 1 to 4'],
  ])('given %j and %j, then one line names what is wrong', (args, env, message) => {
    const read = () => readOptions(args, env);

    expect(read).toThrow(UsageError);
    expect(read).toThrow(message);
    expect(read).toThrow(/^(?!.*hidden)[^\n]+$/);
  });
});
