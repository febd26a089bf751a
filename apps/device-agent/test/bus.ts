import { deviceStream, deviceSubject, type ChannelName } from '@muster/contracts';
import { testNats } from '@muster/testing';
import { connect as connectTcp, createServer, type AddressInfo, type Socket } from 'node:net';
import { connect, headers, type NatsConnection } from 'nats';

/** One message of a device, as the server's side sees it. */
export interface Heard {
  device: string;
  channel: string;
  payload: { status?: string; fence?: number; command_id?: string; code?: string; [field: string]: unknown };
  traceparent: string;
}

/** A real bus with the server's side of the device channels. */
export interface TestBus {
  /** Where devices connect; {@link cut} breaks their connections. */
  url: string;
  nc: NatsConnection;
  /** All that devices have said, in the order of its arrival. */
  heard: Heard[];
  /** What they have said on one channel. */
  on(channel: ChannelName): Heard[];
  send(device: string, channel: ChannelName, payload: unknown, traceparent?: string): Promise<void>;
  createStreams(): Promise<void>;
  cut(): void;
  stop(): Promise<void>;
}

export const PROJECT = 'demo';
const KEPT: ChannelName[] = ['hello', 'status', 'report'];

export async function startBus(): Promise<TestBus> {
  const server = await testNats();
  const proxy = await startProxy(Number(new URL(server.url).port));
  const nc = await connect({ servers: server.url });
  const heard: Heard[] = [];
  nc.subscribe(deviceSubject(PROJECT, '*', '*' as ChannelName), {
    callback: (_error, message) => {
      const [, , , device = '', channel = ''] = message.subject.split('.');
      if (channel === 'command' || channel === 'cancel') return;
      const traceparent = message.headers?.get('traceparent') ?? '';
      heard.push({ device, channel, payload: message.json(), traceparent });
    },
  });
  await nc.flush();
  return {
    url: `nats://127.0.0.1:${proxy.port}`,
    nc,
    heard,
    on: (channel) => heard.filter((one) => one.channel === channel),
    send: async (device, channel, payload, traceparent) => {
      const carried = headers();
      if (traceparent !== undefined) carried.set('traceparent', traceparent);
      const text = typeof payload === 'string' ? payload : JSON.stringify(payload);
      nc.publish(deviceSubject(PROJECT, device, channel), text, { headers: carried });
      await nc.flush();
    },
    createStreams: async () => {
      const jsm = await nc.jetstreamManager();
      for (const channel of KEPT) {
        await jsm.streams.add({ name: deviceStream(channel), subjects: [`muster.dev.*.*.${channel}`] });
      }
    },
    cut: proxy.cut,
    stop: async () => {
      await nc.close();
      await proxy.stop();
      await server.stop();
    },
  };
}

/** Stands between devices and the bus, so that a test can cut the line while both live on. */
async function startProxy(to: number) {
  const sockets = new Set<Socket>();
  const server = createServer((device) => {
    const bus = connectTcp(to, '127.0.0.1');
    for (const [from, into] of [
      [device, bus],
      [bus, device],
    ] as const) {
      sockets.add(from);
      from.pipe(into);
      from.on('error', () => into.destroy());
      from.on('close', () => {
        sockets.delete(from);
        into.destroy();
      });
    }
  }).listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const cut = () => sockets.forEach((socket) => socket.destroy());
  const stop = async () => {
    const closed = new Promise((resolve) => server.close(resolve));
    cut();
    await closed;
  };
  return { port: (server.address() as AddressInfo).port, cut, stop };
}
