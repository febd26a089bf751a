import { encodeAccount, findAccount, pushAccount } from '@muster/bus-auth';
import {
  deviceCredentials,
  deviceInbox,
  deviceSubject,
  MOST_CREDENTIALS,
  type CredentialRotation,
  type IssuedCredential,
  type NewCredential,
} from '@muster/contracts';
import { connectAsync, type MqttClient } from 'mqtt';
import { connect, credsAuthenticator, type NatsConnection } from 'nats';
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { RunningDeviceState } from '../testing/running-device-state.js';

const PROJECT = 'acme';
const ADMIN = randomUUID();
const PATIENCE = { timeout: 10_000, interval: 25 };

let service: RunningDeviceState;
const clients: MqttClient[] = [];
const connections: NatsConnection[] = [];
beforeAll(async () => {
  service = await RunningDeviceState.start();
});
afterAll(async () => {
  await Promise.all(clients.map((client) => client.endAsync(true)));
  await Promise.all(connections.map((connection) => connection.close()));
  await service?.stop();
});

const issue = (device_id: string, order: NewCredential = {}, id = randomUUID()) =>
  service.call(deviceCredentials.issue, { project_id: PROJECT, device_id, id, created_by: ADMIN, order });
const rotate = (device_id: string, replaces: string, order: CredentialRotation = {}, id = randomUUID()) =>
  service.call(deviceCredentials.rotate, { project_id: PROJECT, device_id, id, replaces, created_by: ADMIN, order });
const revoke = (device_id: string, id: string) =>
  service.call(deviceCredentials.revoke, { project_id: PROJECT, device_id, id });
const list = async (device_id: string) =>
  (await service.call(deviceCredentials.list, { project_id: PROJECT, device_id, limit: 100 })).credentials;

const overNats = async ({ device_id, nats: { url, creds } }: IssuedCredential): Promise<NatsConnection> => {
  const connection = await connect({
    servers: url,
    authenticator: credsAuthenticator(new TextEncoder().encode(creds)),
    inboxPrefix: deviceInbox(PROJECT, device_id),
    reconnect: false,
  });
  connections.push(connection);
  return connection;
};
const overMqtt = async ({ mqtt: { url, username, password } }: IssuedCredential): Promise<MqttClient> => {
  const client = await connectAsync(url, { username, password, protocolVersion: 4, reconnectPeriod: 0 });
  clients.push(client);
  return client;
};
const opens = (credential: IssuedCredential): Promise<boolean[]> =>
  Promise.all(
    [overNats(credential), overMqtt(credential)].map((opening) =>
      opening.then(
        () => true,
        () => false,
      ),
    ),
  );
const keyOf = async (id: string) => {
  const [row] = await service.query<{ public_key: string }>('SELECT public_key FROM device_credential WHERE id = $1', [
    id,
  ]);
  return row!.public_key;
};
const onTheBus = async () => {
  const system = await service.bus.system('device-state');
  return findAccount(system, service.bus.keys.account);
};

describe('issue', () => {
  it('given a device, when credentials are issued, then it speaks with them over NATS and MQTT, and the list has everything but the secret', async () => {
    const device = await service.register(PROJECT, 'issued');
    const credential = await issue(device, { expires_in_seconds: 3600 });
    expect(credential).toMatchObject({ device_id: device, nats: { url: service.bus.nats.url } });
    expect(Date.parse(credential.expires_at) - Date.now()).toBeGreaterThan(3_590_000);
    expect(Date.parse(credential.expires_at) - Date.now()).toBeLessThanOrEqual(3_600_000);

    const nats = await overNats(credential);
    await nats.jetstream().publish(deviceSubject(PROJECT, device, 'hello'), '{"agent":"over-nats"}');
    await expect.poll(async () => (await service.device(PROJECT, device)).agent?.agent, PATIENCE).toBe('over-nats');
    const mqtt = await overMqtt(credential);
    await mqtt.publishAsync(`muster/dev/${PROJECT}/${device}/hello`, '{"agent":"over-mqtt"}', { qos: 1 });
    await expect.poll(async () => (await service.device(PROJECT, device)).agent?.agent, PATIENCE).toBe('over-mqtt');

    const [listed, ...others] = await list(device);
    expect(others).toEqual([]);
    expect(listed).toEqual({
      id: credential.id,
      device_id: device,
      issued_at: expect.any(String) as string,
      expires_at: credential.expires_at,
      revoked_at: null,
      created_by: ADMIN,
    });
    const [row] = await service.query<{ row: string }>('SELECT device_credential::text AS row FROM device_credential');
    const [seed] = /SU[A-Z2-7]{56}/.exec(credential.nats.creds)!;
    expect(row!.row).not.toContain(seed);
  });

  it('given the same id again, then the same credentials are given again, and there is one', async () => {
    const device = await service.register(PROJECT, 'repeated');
    const id = randomUUID();
    const seedOf = ({ nats }: IssuedCredential) => /SU[A-Z2-7]{56}/.exec(nats.creds)![0];
    const [first, again] = [await issue(device, {}, id), await issue(device, {}, id)];
    expect(seedOf(again)).toBe(seedOf(first));
    expect(again.expires_at).toBe(first.expires_at);
    expect(await list(device)).toHaveLength(1);
    expect(await opens(again)).toEqual([true, true]);
    await revoke(device, id);
    await expect(issue(device, {}, id)).rejects.toMatchObject({ kind: 'conflict' });
  });

  it('given a device that does not exist or is another project’s, then not found', async () => {
    await expect(issue(randomUUID())).rejects.toMatchObject({ kind: 'not_found' });
    const other = await service.register('other', 'elsewhere');
    await expect(issue(other)).rejects.toMatchObject({ kind: 'not_found' });
    await expect(list(other)).rejects.toMatchObject({ kind: 'not_found' });
  });

  it('given as many usable credentials as a device may have, then one more is refused until one is revoked', async () => {
    const device = await service.register(PROJECT, 'many');
    const made = await Promise.all(Array.from({ length: MOST_CREDENTIALS }, () => issue(device)));
    await expect(issue(device)).rejects.toMatchObject({ kind: 'conflict' });
    await revoke(device, made[0]!.id);
    await issue(device);
  });

  it('given rotations whose overlaps have not ended, then those that still open count as well', async () => {
    const device = await service.register(PROJECT, 'rotated often');
    let { id } = await issue(device);
    for (let made = 0; made < MOST_CREDENTIALS; made++) ({ id } = await rotate(device, id, { overlap_seconds: 3600 }));
    await expect(rotate(device, id, { overlap_seconds: 3600 })).rejects.toMatchObject({ kind: 'conflict' });
  });
});

describe('revoke', () => {
  it('given a device on NATS and on MQTT, when its credentials are revoked, then both connections end, neither comes back, and another device stays', async () => {
    const device = await service.register(PROJECT, 'revoked');
    const credential = await issue(device);
    const bystander = await overMqtt(await issue(await service.register(PROJECT, 'bystander')));
    const [nats, mqtt] = [await overNats(credential), await overMqtt(credential)];
    await revoke(device, credential.id);
    await expect.poll(() => [nats.isClosed(), mqtt.connected], PATIENCE).toEqual([true, false]);
    expect(await opens(credential)).toEqual([false, false]);
    expect(bystander.connected).toBe(true);
    const [listed] = await list(device);
    await revoke(device, credential.id);
    expect(await list(device)).toEqual([listed]);
  });

  it('given what does not exist, then not found', async () => {
    const device = await service.register(PROJECT, 'not-there');
    const { id } = await issue(await service.register(PROJECT, 'not-this'));
    await expect(revoke(device, randomUUID())).rejects.toMatchObject({ kind: 'not_found' });
    await expect(revoke(device, id)).rejects.toMatchObject({ kind: 'not_found' });
  });

  it('given many at once, then the bus has all of them', async () => {
    const devices = await Promise.all(Array.from({ length: 8 }, (_, n) => service.register(PROJECT, `at-once-${n}`)));
    const credentials = await Promise.all(devices.map((device) => issue(device)));
    await Promise.all(credentials.map(({ device_id, id }) => revoke(device_id, id)));
    const { revocations } = await onTheBus();
    for (const { id } of credentials) expect(revocations).toHaveProperty(await keyOf(id));
  });
});

describe('what the bus knows', () => {
  it('given a bus that has lost its revocations, when it comes back, then it is given them again, and those of others stay', async () => {
    const device = await service.register(PROJECT, 'lost');
    const credential = await issue(device);
    await revoke(device, credential.id);
    const system = await service.bus.system('device-state');
    const { account, operatorSeed } = service.bus.keys;
    const rules = await findAccount(system, account);
    const foreign = { UFOREIGN: 1_900_000_000 };
    // The server takes no account that is older than its own by the second.
    await expect
      .poll(async () => {
        await pushAccount(system, await encodeAccount({ ...rules, revocations: foreign }, operatorSeed));
        return (await onTheBus()).revocations;
      }, PATIENCE)
      .toEqual(foreign);
    await service.bus.nats.kill();
    await service.bus.nats.revive();
    const key = await keyOf(credential.id);
    await expect
      .poll(async () => (await onTheBus().catch(() => undefined))?.revocations, PATIENCE)
      .toMatchObject({ ...foreign, [key]: Math.floor(Date.parse(credential.expires_at) / 1000) });
    expect(await opens(credential)).toEqual([false, false]);
  });

  it('given revoked credentials that have expired, then the bus is troubled with them no longer, and after their time they are gone', async () => {
    const device = await service.register(PROJECT, 'expired');
    const [expired, old] = [await issue(device), await issue(device)];
    await revoke(device, expired.id);
    const key = await keyOf(expired.id);
    await service.query(`UPDATE device_credential SET expires_at = now() - interval '1 minute' WHERE id = $1`, [
      expired.id,
    ]);
    await service.query(`UPDATE device_credential SET expires_at = now() - interval '1 year' WHERE id = $1`, [old.id]);
    const { id } = await issue(device);
    await revoke(device, id);
    expect((await onTheBus()).revocations).not.toHaveProperty(key);
    await service.restart();
    await expect
      .poll(async () => (await list(device)).map((one) => one.id), PATIENCE)
      .toEqual([expired.id, id].toSorted());
  });

  it('given a bus that is away, when credentials are revoked, then unavailable is the answer, and the bus is told when it is back', async () => {
    const device = await service.register(PROJECT, 'away');
    const credential = await issue(device);
    const key = await keyOf(credential.id);
    await service.query(`SELECT pg_advisory_lock(hashtext('bus account'), 0)`);
    await expect(revoke(device, credential.id)).rejects.toMatchObject({ kind: 'unavailable' });
    expect((await list(device))[0]!.revoked_at).not.toBeNull();
    await service.query(`SELECT pg_advisory_unlock(hashtext('bus account'), 0)`);
    await expect.poll(async () => (await onTheBus()).revocations, PATIENCE).toHaveProperty(key);
    expect(await opens(credential)).toEqual([false, false]);
  });
});

describe('rotate', () => {
  it('given no overlap, then the new ones open and the old ones do not', async () => {
    const device = await service.register(PROJECT, 'rotated');
    const old = await issue(device);
    const id = randomUUID();
    const fresh = await rotate(device, old.id, {}, id);
    expect(await opens(fresh)).toEqual([true, true]);
    expect(await opens(old)).toEqual([false, false]);
    expect((await rotate(device, old.id, {}, id)).id).toBe(id);
    await expect(rotate(device, old.id)).rejects.toMatchObject({ kind: 'conflict' });
    await expect(rotate(device, randomUUID())).rejects.toMatchObject({ kind: 'not_found' });
  });

  it('given an overlap, then both open until it ends, and then the old ones are out by themselves', async () => {
    const device = await service.register(PROJECT, 'overlapped');
    const old = await issue(device);
    const fresh = await rotate(device, old.id, { overlap_seconds: 3 });
    expect([await opens(old), await opens(fresh)]).toEqual([
      [true, true],
      [true, true],
    ]);
    await expect.poll(() => opens(old), PATIENCE).toEqual([false, false]);
    expect(await opens(fresh)).toEqual([true, true]);
  });
});
