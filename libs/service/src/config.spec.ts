import { describe, expect, it } from 'vitest';
import { readConfig } from './config.js';

const enough = { MUSTER_DATABASE_URL: 'postgres://u:hunter2@db/muster', MUSTER_NATS_URL: 'nats://u:hunter2@bus:4222' };

describe('readConfig', () => {
  it('given the two addresses, then the rest is as documented', () => {
    expect(readConfig('job-planner', enough)).toEqual({
      service: 'job-planner',
      databaseUrl: enough.MUSTER_DATABASE_URL,
      natsUrl: enough.MUSTER_NATS_URL,
      natsCreds: undefined,
      natsCa: undefined,
      httpHost: '127.0.0.1',
      httpPort: 0,
      logLevel: 'info',
      otlpEndpoint: undefined,
      events: { days: 7, gib: 4 },
      journalDays: 7,
      historyDays: 30,
    });
  });

  it('given variables that are set but empty, then they count as not set; it does not listen everywhere', () => {
    const empty = {
      MUSTER_NATS_CREDS: '',
      MUSTER_NATS_CA: '',
      MUSTER_HTTP_HOST: '',
      MUSTER_HTTP_PORT: '',
      MUSTER_LOG_LEVEL: '',
      OTEL_EXPORTER_OTLP_ENDPOINT: '',
      MUSTER_EVENT_DAYS: '',
      MUSTER_EVENT_GIB: '',
      MUSTER_JOURNAL_DAYS: '',
      MUSTER_HISTORY_DAYS: '',
    };
    expect(readConfig('job-planner', { ...enough, ...empty })).toEqual(readConfig('job-planner', enough));
  });

  it('given everything, then it is taken', () => {
    const all = {
      ...enough,
      MUSTER_NATS_CREDS: import.meta.filename,
      MUSTER_NATS_CA: import.meta.filename,
      MUSTER_HTTP_HOST: '0.0.0.0',
      MUSTER_HTTP_PORT: '9001',
      MUSTER_LOG_LEVEL: 'debug',
      OTEL_EXPORTER_OTLP_ENDPOINT: 'http://otel:4318',
      MUSTER_EVENT_DAYS: '3',
      MUSTER_EVENT_GIB: '10',
      MUSTER_JOURNAL_DAYS: '5',
      MUSTER_HISTORY_DAYS: '90',
    };
    expect(readConfig('job-planner', all)).toMatchObject({
      natsCreds: import.meta.filename,
      natsCa: import.meta.filename,
      httpHost: '0.0.0.0',
      httpPort: 9001,
      logLevel: 'debug',
      otlpEndpoint: 'http://otel:4318',
      events: { days: 3, gib: 10 },
      journalDays: 5,
      historyDays: 90,
    });
  });

  it('given events that are kept for longer than usual and nothing of the journal, then the journal goes back as far', () => {
    expect(readConfig('job-planner', { ...enough, MUSTER_EVENT_DAYS: '30' }).journalDays).toBe(30);
  });

  it.each([
    ['MUSTER_DATABASE_URL', undefined, 'MUSTER_DATABASE_URL is not set'],
    ['MUSTER_NATS_URL', '', 'MUSTER_NATS_URL is not set'],
    [
      'MUSTER_DATABASE_URL',
      'hunter2',
      'MUSTER_DATABASE_URL must be a URL that starts with postgres:// or postgresql://',
    ],
    [
      'MUSTER_DATABASE_URL',
      'mysql://u:hunter2@db',
      'MUSTER_DATABASE_URL must be a URL that starts with postgres:// or postgresql://',
    ],
    ['MUSTER_NATS_CREDS', '/no/such.creds', 'MUSTER_NATS_CREDS names /no/such.creds, which cannot be read'],
    ['MUSTER_NATS_CA', '/no/such.pem', 'MUSTER_NATS_CA names /no/such.pem, which cannot be read'],
    ['MUSTER_NATS_URL', 'http://u:hunter2@bus', 'MUSTER_NATS_URL must be a URL that starts with nats:// or tls://'],
    ['MUSTER_HTTP_PORT', '65536', 'MUSTER_HTTP_PORT must be a port between 0 and 65535'],
    ['MUSTER_HTTP_PORT', '-1', 'MUSTER_HTTP_PORT must be a port between 0 and 65535'],
    ['MUSTER_HTTP_PORT', '80.5', 'MUSTER_HTTP_PORT must be a port between 0 and 65535'],
    ['MUSTER_HTTP_PORT', 'hunter2', 'MUSTER_HTTP_PORT must be a port between 0 and 65535'],
    ['MUSTER_EVENT_DAYS', '0', 'MUSTER_EVENT_DAYS must be a whole number from 1 to 3650'],
    ['MUSTER_EVENT_GIB', '1.5', 'MUSTER_EVENT_GIB must be a whole number from 1 to 1048576'],
    ['MUSTER_JOURNAL_DAYS', 'hunter2', 'MUSTER_JOURNAL_DAYS must be a whole number from 1 to 3650'],
    ['MUSTER_JOURNAL_DAYS', '6', 'MUSTER_JOURNAL_DAYS must be no less than MUSTER_EVENT_DAYS'],
    ['MUSTER_HISTORY_DAYS', '3651', 'MUSTER_HISTORY_DAYS must be a whole number from 1 to 3650'],
    ['MUSTER_LOG_LEVEL', 'hunter2', 'MUSTER_LOG_LEVEL must be one of trace, debug, info, warn, error, fatal'],
  ])('given %s=%s, then one line names the variable and not its value', (name, value, message) => {
    expect(() => readConfig('job-planner', { ...enough, [name]: value })).toThrow(new Error(message));
  });
});
