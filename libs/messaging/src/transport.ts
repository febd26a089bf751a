import type { ServiceName } from '@muster/contracts';
import { Server, type CustomTransportStrategy, type MessageHandler } from '@nestjs/microservices';
import type { NatsConnection } from 'nats';
import { isObservable, lastValueFrom } from 'rxjs';
import { deviceCoreConsumer, deviceStreamConsumer } from './device.consumer.js';
import type { TransportHost } from './host.js';
import type { Binding } from './patterns.js';
import type { Lag } from './pull.consumer.js';
import { rpcServer } from './rpc.server.js';
import { ensureStreams, streamsOf, type StreamSpec } from './streams.js';
import { workConsumer } from './work.consumer.js';

interface Consumer {
  start(): void;
  stop(): Promise<void>;
  lag?(): Promise<Lag>;
}

/** Nest's handlers on our bus: rpc on core NATS, work and device channels on JetStream (architecture: "Four kinds of message"). */
export class NatsTransport extends Server implements CustomTransportStrategy {
  private consumers: Consumer[] = [];

  constructor(
    private readonly service: ServiceName,
    private readonly connection: NatsConnection,
    private readonly host: TransportHost,
    private readonly streams: readonly StreamSpec[] = streamsOf(service),
  ) {
    super();
  }

  async listen(callback: (error?: unknown) => void): Promise<void> {
    try {
      const ensure = () => ensureStreams(this.connection, this.streams);
      await ensure();
      this.consumers = [...this.messageHandlers.values()].map((handler) => this.consumer(handler, ensure));
      for (const consumer of this.consumers) consumer.start();
      await this.connection.flush();
      callback();
    } catch (error) {
      callback(error);
    }
  }

  /** Takes no more messages and waits until those being handled are done. */
  async close(): Promise<void> {
    await Promise.all(this.consumers.map((consumer) => consumer.stop()));
    this.consumers = [];
  }

  /** How far each durable consumer is behind; those that cannot be asked now are left out. */
  async lags(): Promise<Lag[]> {
    const asked = await Promise.allSettled(this.consumers.flatMap((consumer) => consumer.lag?.() ?? []));
    return asked.flatMap((answer) => (answer.status === 'fulfilled' ? [answer.value] : []));
  }

  override on(): never {
    throw new Error('the transport has no events of its own');
  }

  override unwrap<T>(): T {
    return this.connection as T;
  }

  private consumer(handler: MessageHandler, ensure: () => Promise<void>): Consumer {
    const { service, connection, host } = this;
    const binding = handler.extras as unknown as Binding;
    const handle = async (data: unknown): Promise<unknown> => {
      const result: unknown = await handler(data, undefined);
      return isObservable(result) ? lastValueFrom(result, { defaultValue: undefined }) : result;
    };
    const handleVoid = async (data: unknown) => void (await handle(data));
    switch (binding.kind) {
      case 'rpc':
        return rpcServer(connection, service, binding.contract, host, handle);
      case 'work':
        return workConsumer(connection, binding.contract, binding.concurrency, host, ensure, handleVoid);
      case 'device':
        return binding.channel.carrier === 'core'
          ? deviceCoreConsumer(connection, service, binding.channel, host, handleVoid)
          : deviceStreamConsumer(connection, service, binding.channel, binding.concurrency, host, ensure, handleVoid);
    }
  }
}
