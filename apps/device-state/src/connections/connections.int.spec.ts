import { deviceUser, fleetUser } from '@muster/bus-auth';
import { deviceInbox, deviceStream, deviceSubject, fleetInbox } from '@muster/contracts';
import { connectAsync, type MqttClient } from 'mqtt';
import type { NatsConnection } from 'nats';
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { RunningDeviceState } from '../testing/running-device-state.js';
import { SystemBus } from '../credentials/system.bus.js';
import type { Word } from './advisory.js';
import { Connections } from './connections.js';

const PROJECT = 'acme';
// A heartbeat is missed after 90 s: what happens here does not come from heartbeats.
const PATIENCE = { timeout: 10_000, interval: 25 };

let service: RunningDeviceState;
const clients: MqttClient[] = [];
beforeAll(async () => {
  service = await RunningDeviceState.start();
});
afterAll(async () => {
  await Promise.all(clients.map((client) => client.endAsync(true)));
  await service?.stop();
});

let named = 0;
const newDevice = () => service.register(PROJECT, `d${named++}`);
const overNats = async (device: string): Promise<NatsConnection> => {
  const { creds } = await deviceUser(service.bus.signer, { project: PROJECT, device });
  return service.bus.connect(creds, deviceInbox(PROJECT, device));
};
const overMqtt = async (device: string, clientId: string = randomUUID()): Promise<MqttClient> => {
  const { password } = await deviceUser(service.bus.signer, { project: PROJECT, device });
  const options = { username: device, password, clientId, protocolVersion: 4, reconnectPeriod: 0 } as const;
  const client = await connectAsync(service.bus.nats.mqttUrl, options);
  clients.push(client);
  return client;
};
const movesOf = (id: string) => service.eventsOf(id).map(({ to, reason }) => (reason ? `${to} ${reason}` : to));
const linesOf = async (id: string) => {
  const rows = await service.query<{ client_id: string }>(
    'SELECT client_id FROM device_connection WHERE device_id = $1 AND connected',
    [id],
  );
  return rows.length;
};

/** Says hello as the device does, and waits until it and so many connections are known. */
const isOnline = async (id: string, connections = 1) => {
  service.say(PROJECT, id, 'hello', {});
  await expect.poll(() => movesOf(id).at(-1), PATIENCE).toBe('ONLINE');
  await expect.poll(() => linesOf(id), PATIENCE).toBe(connections);
};

describe('a device that disconnects', () => {
  it.each([
    ['NATS, having said good-bye', async (id: string) => overNats(id).then((one) => () => one.close())],
    ['MQTT, having said good-bye', async (id: string) => overMqtt(id).then((one) => () => one.endAsync())],
    ['MQTT, without a word', async (id: string) => overMqtt(id).then((one) => () => void one.stream.destroy())],
  ])('given one over %s, then it is offline at once, and command-dispatcher is told', async (_how, open) => {
    const id = await newDevice();
    const close = await open(id);
    await isOnline(id);
    await close();
    await expect.poll(() => movesOf(id), PATIENCE).toEqual(['REGISTERED', 'ONLINE', 'OFFLINE disconnected']);
    await expect.poll(() => service.presenceOf(id).at(-1), PATIENCE).toEqual({ online: false, version: 3 });
    expect(await linesOf(id)).toBe(0);
  });

  it('given a second connection, then it is offline only when that has ended as well', async () => {
    const id = await newDevice();
    const [first, second] = [await overNats(id), await overMqtt(id)];
    await isOnline(id, 2);
    await first.close();
    await expect.poll(() => linesOf(id), PATIENCE).toBe(1);
    expect(movesOf(id).at(-1)).toBe('ONLINE');
    await second.endAsync();
    await expect.poll(() => movesOf(id).at(-1), PATIENCE).toBe('OFFLINE disconnected');
  });

  it('given an MQTT client that takes over its own session, then the device stays online', async () => {
    const id = await newDevice();
    const first = await overMqtt(id, 'one-and-the-same');
    await isOnline(id);
    await overMqtt(id, 'one-and-the-same');
    await expect.poll(() => first.connected, PATIENCE).toBe(false);
    await expect
      .poll(
        () => service.query('SELECT FROM device_connection WHERE device_id = $1 AND ended_at IS NULL', [id]),
        PATIENCE,
      )
      .toHaveLength(1);
    expect(movesOf(id)).toEqual(['REGISTERED', 'ONLINE']);
  });

  it('given one that connects and says no hello, then it is not online; one that is online has given a sign of life', async () => {
    const [mute, online] = [await newDevice(), await newDevice()];
    service.say(PROJECT, online, 'hello', {});
    await expect.poll(() => movesOf(online).at(-1), PATIENCE).toBe('ONLINE');
    const before = (await service.device(PROJECT, online)).last_seen!;
    await overNats(mute);
    await overNats(online);
    await expect.poll(async () => (await service.device(PROJECT, online)).last_seen! > before, PATIENCE).toBe(true);
    await expect.poll(() => linesOf(mute), PATIENCE).toBe(1);
    expect(await service.device(PROJECT, mute)).toMatchObject({ state: 'REGISTERED', last_seen: null });
  });

  it('given a simulated fleet that speaks for many devices, when its connection ends, then nobody goes offline by it', async () => {
    const [id, after] = [await newDevice(), await newDevice()];
    const fleet = await service.bus.connect(await fleetUser(service.bus.signer, PROJECT), fleetInbox(PROJECT));
    fleet.publish(deviceSubject(PROJECT, id, 'hello'), '{}');
    await expect.poll(() => movesOf(id).at(-1), PATIENCE).toBe('ONLINE');
    await fleet.close();
    const barrier = await overNats(after);
    await isOnline(after);
    await barrier.close();
    await expect.poll(() => movesOf(after).at(-1), PATIENCE).toBe('OFFLINE disconnected');
    expect(movesOf(id).at(-1)).toBe('ONLINE');
  });
});

describe('a bus that is killed', () => {
  it('given a device that is back before anybody listens, then it stays online, and when it disconnects it is offline at once', async () => {
    const id = await newDevice();
    const device = await overNats(id);
    await isOnline(id);
    await service.bus.nats.kill();
    await service.bus.nats.revive();
    const hellos = async () => {
      const rows = await service.query<{ at: string }>(
        `SELECT applied->'hello'->>'at' AS at FROM device WHERE id = $1`,
        [id],
      );
      return rows[0]!.at;
    };
    const before = await hellos();
    await expect
      .poll(async () => {
        device.publish(deviceSubject(PROJECT, id, 'hello'), '{}');
        return (await hellos()) > before;
      }, PATIENCE)
      .toBe(true);
    // One that the stream took after the end would be of another connection.
    await device.flush();
    const { streams } = await service.service.connection.jetstreamManager();
    const unread = async () => (await streams.info(deviceStream('hello'))).state.messages;
    await expect.poll(unread, PATIENCE).toBe(0);
    expect(movesOf(id).at(-1)).toBe('ONLINE');
    const listens = () =>
      service.service
        .get(SystemBus)
        .connection!.flush()
        .then(
          () => true,
          () => false,
        );
    await expect.poll(listens, PATIENCE).toBe(true);
    await device.close();
    await expect.poll(() => movesOf(id).at(-1), PATIENCE).toBe('OFFLINE disconnected');
  });
});

describe('words that come late, twice, in another order or not at all', () => {
  const wordsOf = (device_id: string, client_id: number) => {
    const word: Word = {
      project_id: PROJECT,
      device_id,
      server_id: 'S1',
      server_name: 'elsewhere',
      client_id,
      opened_at: Date.now(),
      began_at: null,
      ended_at: null,
    };
    return { began: { ...word, began_at: Date.now() }, ended: { ...word, ended_at: Date.now() + 1_000 } };
  };
  const record = (...words: Word[]) => service.service.get(Connections).record(words);
  const online = async () => {
    const id = await newDevice();
    service.say(PROJECT, id, 'hello', {});
    await expect.poll(() => movesOf(id).at(-1), PATIENCE).toBe('ONLINE');
    return id;
  };
  const stateOf = async (id: string) => (await service.device(PROJECT, id)).state;

  it('given the end before the beginning, then the device is offline when both are known', async () => {
    const id = await online();
    const { began, ended } = wordsOf(id, 1);
    await record(ended);
    expect(await stateOf(id)).toBe('ONLINE');
    await record(began);
    expect(await stateOf(id)).toBe('OFFLINE');
  });

  it('given the end of an earlier connection after the beginning of a later one, or twice, then nothing changes', async () => {
    const id = await online();
    const [first, second] = [wordsOf(id, 1), wordsOf(id, 2)];
    await record(first.began, second.began);
    await record(first.ended);
    await record(first.ended, first.ended);
    await record(second.began);
    expect(await stateOf(id)).toBe('ONLINE');
    await record(second.ended);
    expect(await stateOf(id)).toBe('OFFLINE');
  });

  it('given an end whose beginning nobody heard, then heartbeats decide', async () => {
    const id = await online();
    await record(wordsOf(id, 1).ended);
    expect(await stateOf(id)).toBe('ONLINE');
  });

  it('given an end whose beginning nobody heard, of the connection on which the last hello was said, then the device is offline', async () => {
    const [alone, twice] = [await online(), await online()];
    const ended = (id: string) => ({ ...wordsOf(id, 1).ended, opened_at: Date.now() - 60_000 });
    await record(wordsOf(twice, 2).began);
    await record(ended(alone), ended(twice));
    expect([await stateOf(alone), await stateOf(twice)]).toEqual(['OFFLINE', 'ONLINE']);
  });

  it('given a hello that was said after the end, then the device has another connection, of which nobody has heard yet', async () => {
    const id = await online();
    const { began, ended } = wordsOf(id, 1);
    await record(began);
    await record({ ...ended, ended_at: began.began_at - 60_000 });
    expect(await stateOf(id)).toBe('ONLINE');
  });

  it('given devices that do not exist or are another project’s, then nothing is kept of them', async () => {
    const id = await online();
    const { began } = wordsOf(id, 1);
    await record({ ...began, device_id: randomUUID() }, { ...began, project_id: 'other' });
    expect(
      await service.query(`SELECT FROM device_connection WHERE server_id = 'S1' AND NOT project_id = $1`, [PROJECT]),
    ).toEqual([]);
    expect(await linesOf(id)).toBe(0);
  });

  it('given an end that nobody asked for in an hour, then it is forgotten', async () => {
    const id = await online();
    const { ended } = wordsOf(id, 1);
    await record({ ...ended, ended_at: Date.now() - 3_700_000 });
    await service.service.get(Connections).sweep();
    expect(await service.query('SELECT FROM device_connection WHERE device_id = $1', [id])).toEqual([]);
  });

  it('given hundreds at once, then each is offline once', async () => {
    const ids = await Promise.all(Array.from({ length: 300 }, () => newDevice()));
    for (const id of ids) service.say(PROJECT, id, 'hello', {});
    await expect.poll(() => ids.filter((id) => movesOf(id).at(-1) === 'ONLINE').length, PATIENCE).toBe(300);
    const words = ids.map((id) => wordsOf(id, 1));
    await Promise.all([record(...words.map(({ began }) => began)), record(...words.map(({ ended }) => ended))]);
    await expect
      .poll(() => ids.filter((id) => movesOf(id).join() === 'REGISTERED,ONLINE,OFFLINE disconnected').length, PATIENCE)
      .toBe(300);
  });
});
