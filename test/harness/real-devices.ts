import {
  deviceInbox,
  deviceSubject,
  type ChannelName,
  type CommandMessage,
  type Device,
  type IssuedCredential,
} from '@muster/contracts';
import { connectAsync, type MqttClient } from 'mqtt';
import { connect, credsAuthenticator, type NatsConnection } from 'nats';
import type { Stack } from './stack.ts';

const PROJECT = 'demo';

/** Devices that have credentials of their own and nothing else, over plain NATS and MQTT 3.1.1. */
export class RealDevices {
  private readonly stack: Stack;
  private readonly closing: (() => Promise<unknown>)[] = [];

  constructor(stack: Stack) {
    this.stack = stack;
  }

  /** Registers a device and has credentials issued for it. */
  async register(name: string): Promise<IssuedCredential> {
    const { body } = await this.stack.api<Device>('POST', '/api/v1/devices', { name });
    return this.issue(body.id);
  }

  async issue(device: string): Promise<IssuedCredential> {
    const { status, body } = await this.stack.api<IssuedCredential>('POST', `/api/v1/devices/${device}/credentials`);
    if (status !== 201) throw new Error(`credentials: ${status} ${JSON.stringify(body)}`);
    return body;
  }

  async show(device: string): Promise<Device> {
    return (await this.stack.api<Device>('GET', `/api/v1/devices/${device}`)).body;
  }

  async overMqtt({ mqtt: { url, username, password } }: IssuedCredential): Promise<MqttClient> {
    const client = await connectAsync(url, { username, password, protocolVersion: 4, reconnectPeriod: 0 });
    client.on('error', () => undefined);
    this.closing.push(() => client.endAsync(true));
    return client;
  }

  async overNats({ device_id, nats: { url, creds } }: IssuedCredential): Promise<NatsConnection> {
    const connection = await connect({
      servers: url,
      authenticator: credsAuthenticator(new TextEncoder().encode(creds)),
      inboxPrefix: deviceInbox(PROJECT, device_id),
      reconnect: false,
    });
    this.closing.push(() => connection.close());
    return connection;
  }

  async close(): Promise<void> {
    await Promise.all(this.closing.map((close) => close()));
  }
}

/** The MQTT topic of a device's channel. */
export const topicOf = (device: string, channel: ChannelName, project = PROJECT): string =>
  deviceSubject(project, device, channel).replaceAll('.', '/');

/** The NATS subject of a device's channel. */
export const subjectOf = (device: string, channel: ChannelName, project = PROJECT): string =>
  deviceSubject(project, device, channel);

/**
 * Answers each command with success, and says hello. Gives the commands as they come.
 * @param more what every message of the device says beside what it has to.
 */
export async function obey(
  client: MqttClient,
  device: string,
  qos: 0 | 1 = 1,
  more: object = {},
): Promise<CommandMessage[]> {
  const heard: CommandMessage[] = [];
  client.on('message', (topic, payload) => {
    if (topic !== topicOf(device, 'command')) return;
    const command = JSON.parse(payload.toString()) as CommandMessage;
    heard.push(command);
    const { command_id, fence } = command;
    for (const status of ['acknowledged', 'success']) {
      const text = JSON.stringify({ command_id, fence, status, evidence: { done: true }, ...more });
      client.publish(topicOf(device, 'status'), text, { qos: 1 });
    }
  });
  await client.subscribeAsync([topicOf(device, 'command'), topicOf(device, 'cancel')], { qos });
  await client.publishAsync(topicOf(device, 'hello'), JSON.stringify({ agent: 'plain-mqtt', ...more }), { qos: 1 });
  return heard;
}
