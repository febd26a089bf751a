import { defineRpc, defineWork, deviceSubject, type ChannelName, type WorkBatch } from '@muster/contracts';
import { testNats, type TestNats } from '@muster/testing';
import { Controller, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { connect, type NatsConnection } from 'nats';
import Type from 'typebox';
import { vi } from 'vitest';
import { outgoingHeaders } from '../headers.js';
import type { DropReason, Outcome, ParkedMessage, TransportHost, Watch } from '../host.js';
import { DeviceMessages, Rpc, Work, type ChannelMessage } from '../patterns.js';
import { RpcClient } from '../rpc.client.js';
import { ensureStreams, streamsOf } from '../streams.js';
import { NatsTransport } from '../transport.js';

export const SERVICE = 'device-state';
export const PROJECT = 'acme';
/** A device's status is heard here too, though its stream is that of another service. */
const STREAMS = [...streamsOf(SERVICE), ...streamsOf('command-dispatcher')];
export const knock = defineRpc(
  SERVICE,
  'knock',
  Type.Object({ who: Type.String() }),
  Type.Object({ said: Type.String() }),
);
export const greet = defineWork(SERVICE, 'greet', { language: Type.String() }, { name: Type.String() });

export type Greeting = WorkBatch<typeof greet>;
export const greeting = (...names: string[]): Greeting => ({
  project_id: PROJECT,
  head: { language: 'en' },
  items: names.map((name) => ({ name })),
});

/** What a test's service does with each kind of message. */
export interface Handlers {
  knock(request: { who: string }): Promise<{ said: string }>;
  greet(batch: Greeting): Promise<void>;
  status(messages: ChannelMessage<'status'>[]): Promise<void>;
  heartbeat(messages: ChannelMessage<'heartbeat'>[]): Promise<void>;
}

/** Remembers in memory what a database would: with how many readers each message was lost. */
export class KeepingWatch implements Watch {
  readonly lost = new Map<string, number>();
  readonly begun = new Set<string>();

  async lostReaders(messages: readonly string[]): Promise<Map<string, number>> {
    return new Map([...this.lost].filter(([message]) => messages.includes(message)));
  }

  async begin(messages: readonly string[]): Promise<void> {
    for (const message of messages) this.begun.add(message);
  }

  async end(messages: readonly string[]): Promise<void> {
    for (const message of messages) {
      this.begun.delete(message);
      this.lost.delete(message);
    }
  }

  /** What the next process finds after this one was killed. */
  die(): void {
    for (const message of this.begun) this.lost.set(message, (this.lost.get(message) ?? 0) + 1);
    this.begun.clear();
  }
}

/** Keeps what the transport tells its service. An error whose message begins with `transient` is one. */
export class KeepingHost implements TransportHost {
  readonly watch = new KeepingWatch();
  readonly parked: ParkedMessage[] = [];
  readonly dropped: { channel: string; reason: DropReason; subject: string }[] = [];
  readonly handled: { pattern: string; outcome: string; seconds: number }[] = [];
  readonly errors: { pattern: string; error: unknown }[] = [];

  async park(message: ParkedMessage): Promise<void> {
    this.parked.push(message);
  }

  isTransient(error: unknown): boolean {
    return error instanceof Error && error.message.startsWith('transient');
  }

  onDropped(channel: string, reason: DropReason, { subject }: { subject: string }): void {
    this.dropped.push({ channel, reason, subject });
  }

  onHandled(pattern: string, outcome: Outcome, seconds: number): void {
    this.handled.push({ pattern, outcome, seconds });
  }

  onError(pattern: string, error: unknown): void {
    this.errors.push({ pattern, error });
  }
}

/** A Nest application on the transport; stopped by what it answers. */
export async function serve(
  connection: NatsConnection,
  handlers: Partial<Handlers>,
  host: TransportHost,
): Promise<() => Promise<void>> {
  @Controller()
  class House {
    @Rpc(knock)
    async knock(request: { who: string }): Promise<{ said: string }> {
      return handlers.knock!(request);
    }

    @Work(greet, { concurrency: 2 })
    async greet(batch: Greeting): Promise<void> {
      await handlers.greet!(batch);
    }

    @DeviceMessages('status')
    async status(messages: ChannelMessage<'status'>[]): Promise<void> {
      await handlers.status!(messages);
    }

    @DeviceMessages('heartbeat')
    async heartbeat(messages: ChannelMessage<'heartbeat'>[]): Promise<void> {
      await handlers.heartbeat!(messages);
    }
  }
  @Module({ controllers: [House] })
  class HouseModule {}

  const strategy = new NatsTransport(SERVICE, connection, host, STREAMS);
  const app = await NestFactory.createMicroservice(HouseModule, { strategy, logger: false });
  await app.listen();
  return () => app.close();
}

/** A nats-server, a service on it, and a client of that service with a connection of its own. */
export class Bus {
  private stopService: (() => Promise<void>) | undefined;

  private constructor(
    readonly nats: TestNats,
    readonly server: NatsConnection,
    readonly client: NatsConnection,
    readonly rpc: RpcClient,
  ) {}

  static async start(): Promise<Bus> {
    const nats = await testNats();
    const options = { servers: nats.url, maxReconnectAttempts: -1, reconnectTimeWait: 50 };
    const [server, client] = await Promise.all([connect(options), connect(options)]);
    await ensureStreams(server, STREAMS);
    return new Bus(nats, server, client, new RpcClient(client));
  }

  /** Kills the nats-server, starts it again, and waits until both connections are back. */
  async crash(): Promise<void> {
    await this.nats.kill();
    await this.nats.revive();
    const answers = (connection: NatsConnection) => () =>
      connection.rtt().then(
        () => true,
        () => false,
      );
    for (const connection of [this.server, this.client]) await vi.waitUntil(answers(connection), { timeout: 10_000 });
  }

  /** Starts the service anew with other handlers. */
  async serve(handlers: Partial<Handlers>, host = new KeepingHost()): Promise<KeepingHost> {
    await this.rest();
    this.stopService = await serve(this.server, handlers, host);
    return host;
  }

  /** Stops the service; the server stays. */
  async rest(): Promise<void> {
    await this.stopService?.();
    this.stopService = undefined;
  }

  async stop(): Promise<void> {
    await this.rest();
    await Promise.all([this.server.close(), this.client.close()]);
    await this.nats.stop();
  }

  async ask(batch: Greeting | string, headers: Record<string, string> = {}): Promise<void> {
    const body = typeof batch === 'string' ? batch : JSON.stringify(batch);
    await this.client.jetstream().publish(greet.subject, body, { headers: outgoingHeaders(headers) });
  }

  /** Publishes what a device says and waits until the stream has it. */
  async say(device: string, channel: ChannelName, payload: object | string): Promise<void> {
    const body = typeof payload === 'string' ? payload : JSON.stringify(payload);
    await this.client.jetstream().publish(deviceSubject(PROJECT, device, channel), body);
  }

  /** Messages that a stream still holds: those that nobody has acknowledged or given up. */
  async left(stream: string): Promise<number> {
    const manager = await this.client.jetstreamManager();
    return (await manager.streams.info(stream)).state.messages;
  }
}
