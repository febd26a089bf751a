import { makeScratch, removeScratch, testNats, type TestNats } from '@muster/testing';
import { connectAsync } from 'mqtt';
import { connect } from 'nats';
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { doorOptions } from './connect.js';

let folder: string;
let nats: TestNats;

/** A certificate that vouches for itself. */
const certificate = async (name: string): Promise<{ cert: string; key: string }> => {
  const [cert, key] = [join(folder, `${name}.pem`), join(folder, `${name}.key`)];
  await promisify(execFile)('openssl', [
    ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2'],
    ...['-subj', `/CN=${name}`, '-addext', 'subjectAltName=IP:127.0.0.1,DNS:localhost', '-keyout', key, '-out', cert],
  ]);
  return { cert, key };
};

beforeAll(async () => {
  folder = await makeScratch();
  nats = await testNats({ tls: await certificate('bus') });
});
afterAll(async () => {
  await nats.stop();
  await removeScratch(folder);
});

const open = (url: string, ca?: string) =>
  connect({ ...doorOptions({ url, ca, inbox: '_INBOX' }), timeout: 5_000, reconnect: false });

describe('a bus with a certificate', () => {
  it('given who trusts it, then both NATS and MQTT clients are let in, encrypted', async () => {
    const ca = join(folder, 'bus.pem');
    const connection = await open(nats.url, ca);
    expect(connection.info?.tls_required).toBe(true);
    await connection.close();
    expect(new URL(nats.mqttUrl).protocol).toBe('mqtts:');
    const client = await connectAsync(nats.mqttUrl, { ca: await readFile(ca), reconnectPeriod: 0 });
    expect(client.connected).toBe(true);
    await client.endAsync();
  });

  it('given who trusts another one, or only the well-known ones, then they do not connect', async () => {
    const { cert } = await certificate('other');
    await expect(open(nats.url, cert)).rejects.toThrow(/certificate/i);
    await expect(open(nats.url)).rejects.toThrow(/certificate/i);
  });

  it('given a bus that offers no encryption under a tls address, then nobody speaks to it in the clear', async () => {
    const plain = await testNats();
    try {
      await expect(open(plain.url.replace('nats:', 'tls:'))).rejects.toThrow();
    } finally {
      await plain.stop();
    }
  });

  it('given a file that cannot be read, then it is told before anybody is called', () => {
    const door = { url: nats.url, inbox: '_INBOX' };
    expect(() => doorOptions({ ...door, ca: '/no/such.pem' })).toThrow('/no/such.pem');
    expect(() => doorOptions({ ...door, creds: '/no/such.creds' })).toThrow('/no/such.creds');
  });
});
