import { serviceUser } from '@muster/bus-auth';
import { busWithUsers, type BusWithUsers } from '@muster/bus-auth/testing';
import {
  BATCH_SIZE,
  deviceSubject,
  DomainError,
  type ChannelName,
  type RpcContract,
  type RpcRequest,
  type RpcResponse,
  type ServiceName,
  type WorkBatch,
  type WorkContract,
} from '@muster/contracts';
import { ensureStreams, RpcClient, streamsOf } from '@muster/messaging';
import { provision } from '@muster/persistence';
import { testNats, testPostgres, type TestNats } from '@muster/testing';
import { connect, type NatsConnection } from 'nats';
import { randomUUID } from 'node:crypto';
import pg from 'pg';
import { startService, type RunningService as Started, type ServiceDefinition } from '../start.js';
import { VirtualClock } from './virtual-clock.js';

/** A transition as other systems hear of it. */
export interface HeardEvent {
  id: string;
  subject: string;
  traceparent?: string;
  data: { project_id: string; id: string; from: string | null; to: string; version: number; reason: string } & Record<
    string,
    unknown
  >;
}

interface Parts {
  definition: ServiceDefinition;
  env: NodeJS.ProcessEnv;
  nats: TestNats;
  users: BusWithUsers | undefined;
  connection: NatsConnection;
  sql: pg.Client;
  service: Started;
  clock: VirtualClock | undefined;
  end: () => Promise<void>;
}

interface Surroundings {
  /** False: the bus lets in everybody, for a service that has contracts of the test's own. */
  users?: boolean;
  /** What the service needs of its bus before it starts. */
  prepare?: (bus: BusWithUsers) => Promise<void>;
  /** When it is for the service and its database, until the test says otherwise. */
  at?: Date | undefined;
}

interface TestBus {
  nats: TestNats;
  /** The test's own. */
  connection: NatsConnection;
  /** Path of the service's credentials. */
  creds?: string;
  users?: BusWithUsers;
  stop(): Promise<void>;
}

async function guardedBus(service: ServiceName): Promise<TestBus> {
  const bus = await busWithUsers();
  const creds = await bus.keep(await serviceUser(bus.signer, service));
  return { nats: bus.nats, connection: await bus.administrator(), creds, users: bus, stop: bus.stop };
}

async function openBus(): Promise<TestBus> {
  const nats = await testNats();
  const connection = await connect({ servers: nats.url, maxReconnectAttempts: -1, reconnectTimeWait: 50 });
  const stop = async () => {
    await connection.close();
    await nats.stop();
  };
  return { nats, connection, stop };
}

/** One real service on a Postgres database and a nats-server of its own; the test stands in for whoever it talks to. */
export class RunningService {
  readonly events: HeardEvent[] = [];
  private readonly rpc: RpcClient;

  private constructor(private readonly parts: Parts) {
    this.rpc = new RpcClient(parts.connection);
    parts.connection.subscribe('muster.evt.>', {
      callback: (_error, message) => void this.events.push({ ...message.json<HeardEvent>(), subject: message.subject }),
    });
  }

  /** The service may do on the bus what the contracts let it do. */
  static async start(
    definition: ServiceDefinition,
    env: NodeJS.ProcessEnv = {},
    { users = true, prepare, at }: Surroundings = {},
  ): Promise<RunningService> {
    const postgres = await testPostgres();
    const bus = await (users ? guardedBus(definition.service) : openBus());
    const { nats, connection } = bus;
    if (bus.users) await prepare?.(bus.users);
    const urls = await provision(await postgres.createDatabase(), [
      { name: definition.service, password: randomUUID() },
    ]);
    const settings = {
      MUSTER_DATABASE_URL: urls[definition.service],
      MUSTER_NATS_URL: nats.url,
      MUSTER_NATS_CREDS: bus.creds,
      MUSTER_LOG_LEVEL: 'fatal',
      ...env,
    };
    await ensureStreams(connection, streamsOf(definition.service));
    const clock = at && (await VirtualClock.start(settings.MUSTER_DATABASE_URL!, at));
    const service = await startService(definition, settings);
    const sql = new pg.Client({ connectionString: settings.MUSTER_DATABASE_URL });
    await sql.connect();
    const end = async () => {
      await sql.end();
      await clock?.stop();
      await bus.stop();
      await postgres.stop();
    };
    return new RunningService({
      definition,
      env: settings,
      nats,
      users: bus.users,
      connection,
      sql,
      service,
      clock,
      end,
    });
  }

  get url(): string {
    return this.parts.service.url;
  }

  /** URL of the service's own role. */
  get databaseUrl(): string {
    return this.parts.env['MUSTER_DATABASE_URL']!;
  }

  get connection(): NatsConnection {
    return this.parts.connection;
  }

  get nats(): TestNats {
    return this.parts.nats;
  }

  /** The bus as the one that makes its users sees it. */
  get users(): BusWithUsers {
    const { users } = this.parts;
    if (!users) throw new Error('the bus lets in everybody');
    return users;
  }

  /** When it is for a service that was started `at` a time of the test's own. */
  get clock(): VirtualClock {
    const { clock } = this.parts;
    if (!clock) throw new Error('the service lives in the real time');
    return clock;
  }

  /** A provider of the service under test. */
  get<T>(type: abstract new (...args: never[]) => T): T {
    return this.parts.service.app.get<T>(type);
  }

  async stop(): Promise<void> {
    await this.parts.service.stop();
    await this.parts.end();
  }

  /** Stops the service, lets something happen while it is away, and starts it again on the same data. */
  async restart(meanwhile: () => Promise<unknown> = () => Promise.resolve()): Promise<void> {
    await this.parts.service.stop();
    await meanwhile();
    this.parts.service = await startService(this.parts.definition, this.parts.env);
  }

  call<C extends RpcContract>(contract: C, request: RpcRequest<C>): Promise<RpcResponse<C>> {
    return this.rpc.call(contract, request);
  }

  /** Answers a question in place of the service that does so in production; a DomainError is its refusal. */
  answer<C extends RpcContract>(contract: C, answer: (request: RpcRequest<C>) => RpcResponse<C>): void {
    const replyTo = (request: RpcRequest<C>): object => {
      try {
        return { ok: answer(request) };
      } catch (error) {
        if (!(error instanceof DomainError)) throw error;
        return { error: { kind: error.kind, message: error.message, details: error.details } };
      }
    };
    this.connection.subscribe(contract.subject, {
      callback: (_error, message) => void message.respond(JSON.stringify(replyTo(message.json<RpcRequest<C>>()))),
    });
  }

  /** Asks for work as another service's relay does: in batches of no more than a message may hold. */
  async ask<C extends WorkContract>(contract: C, batch: WorkBatch<C>): Promise<void> {
    const { items } = batch;
    for (let at = 0; at === 0 || at < items.length; at += BATCH_SIZE) {
      const part = { ...batch, items: items.slice(at, at + BATCH_SIZE) };
      await this.connection.jetstream().publish(contract.subject, JSON.stringify(part));
    }
  }

  /** Every batch that the service asks of others by this contract, as it comes. */
  hear<C extends WorkContract>(contract: C): WorkBatch<C>[] {
    const heard: WorkBatch<C>[] = [];
    this.connection.subscribe(contract.subject, {
      callback: (_error, message) => void heard.push(message.json<WorkBatch<C>>()),
    });
    return heard;
  }

  /** Publishes as a device does; a string or bytes go out as they are. */
  say(project: string, device: string, channel: ChannelName, payload: object | string | Uint8Array): void {
    const raw = typeof payload === 'string' || payload instanceof Uint8Array;
    this.connection.publish(deviceSubject(project, device, channel), raw ? payload : JSON.stringify(payload));
  }

  async query<Row extends pg.QueryResultRow>(sql: string, parameters: unknown[] = []): Promise<Row[]> {
    return (await this.parts.sql.query<Row>(sql, parameters)).rows;
  }

  /** What the transitions of an entity said. */
  eventsOf(id: string): HeardEvent['data'][] {
    return this.events.map(({ data }) => data).filter((data) => data.id === id && 'version' in data);
  }

  /** The states that an entity entered, in the order of its versions. */
  statesOf(id: string): string[] {
    const versions = new Map(this.eventsOf(id).map((data) => [data.version, data.to]));
    return [...versions].sort(([a], [b]) => a - b).map(([, to]) => to);
  }

  /** How many messages were dropped on a channel for a reason, as `/metrics` tells it. */
  async dropped(channel: string, reason: string): Promise<number> {
    const text = await (await fetch(`${this.url}/metrics`)).text();
    const labels = [`channel="${channel}"`, `reason="${reason}"`];
    const line = text
      .split('\n')
      .find(
        (each) =>
          each.startsWith('muster_device_messages_dropped_total{') && labels.every((label) => each.includes(label)),
      );
    return Number(line?.split(' ').at(-1) ?? 0);
  }
}
