import {
  CancelMessage,
  CommandMessage,
  deviceSubject,
  fleetInbox,
  HEARTBEAT_SECONDS,
  parseDeviceSubject,
  type ChannelName,
  type Hello,
} from '@muster/contracts';
import { randomUUID } from 'node:crypto';
import type { Msg, NatsConnection } from 'nats';
import { connectForever, leave, watchConnection } from '../device/bus.js';
import { readPayload, traceHeaders, traceOf } from '../device/payload.js';
import { untilSuccess } from '../device/retry.js';
import { packageVersion } from '../process/package-version.js';
import { isOffline, type Behaviour } from './behaviour.js';
import type { EndLine, ExecutionLine } from './execution.lines.js';
import type { LineLog } from './line.log.js';
import { Heartbeats } from './heartbeats.js';
import { SimulatedDevice, type DeviceIdentity, type DeviceSurroundings } from './simulated-device.js';

/** How many hellos one connection has under way at a time. */
const HELLOS_UNDER_WAY = 128;
const ACK_TIMEOUT_MS = 5_000;

export interface FleetOptions {
  /** URL of the bus. */
  nats: string;
  /** Path of the credentials of all devices of the project; none for a bus without users. */
  creds?: string | undefined;
  /** Path of the certificates of authority (PEM) that vouch for the bus. */
  ca?: string | undefined;
  /** Project slug. */
  project: string;
  devices: Iterable<DeviceIdentity>;
  behaviour: Behaviour;
  /** How many connections the devices share. */
  connections: number;
  /** When the devices that are offline come online, in seconds from the start; never without it. */
  offlineSeconds?: number | undefined;
  executionLog?: LineLog<ExecutionLine> | undefined;
  endLog?: LineLog<EndLine> | undefined;
  /** Told, once, that the bus cannot be reached yet. */
  warn?: (line: string) => void;
}

/** What a fleet has done so far. */
export interface FleetCounts {
  devices: number;
  online: number;
  /** Executions begun; one per device, command and fence. */
  executions: number;
  /** Those among them whose device had executed the same command before: further attempts after a failure. */
  executed_again: number;
  succeeded: number;
  failed: number;
  /** Commands that came again and were answered without being executed. */
  repeated: number;
  /** Messages that no device could read. */
  dropped: number;
}

/**
 * Thousands of simulated devices in one process. They share a few connections, and one subscription per downward
 * channel: a subscription per device costs five times the memory and is no faster.
 *
 * Statuses are published without waiting for an acknowledgement. A lost one is healed by the protocol: the server
 * repeats a command until it is answered, and a repeated command is answered again. Hellos are acknowledged.
 */
export class Fleet {
  readonly #devices: Map<string, SimulatedDevice>;
  readonly #online: SimulatedDevice[] = [];
  readonly #stopped = new AbortController();
  readonly #bootId = randomUUID();
  readonly #counts: Omit<FleetCounts, 'devices' | 'online'> = {
    executions: 0,
    executed_again: 0,
    succeeded: 0,
    failed: 0,
    repeated: 0,
    dropped: 0,
  };
  #connections: NatsConnection[] = [];
  /** Device id → its connection, chosen by its place in the fleet. */
  readonly #connectionOf = new Map<string, number>();
  #heartbeats: Heartbeats<SimulatedDevice> | undefined;
  #arrival: NodeJS.Timeout | undefined;

  private constructor(readonly options: FleetOptions) {
    const { behaviour, executionLog, endLog, connections } = options;
    const surroundings: DeviceSurroundings = {
      behaviour,
      bootId: this.#bootId,
      hello: (device) => this.#hello([device]),
      say: (device, channel, payload, traceparent) => this.#publish(device, channel, payload, traceparent),
      executed: (device, command_id, fence, again) => {
        this.#counts.executions++;
        if (again) this.#counts.executed_again++;
        executionLog?.write({ device_id: device.id, command_id, fence, at: new Date().toISOString() });
      },
      ended: (device, command_id, fence, status) => {
        this.#counts[status === 'success' ? 'succeeded' : 'failed']++;
        endLog?.write({ device_id: device.id, command_id, fence, status, at: new Date().toISOString() });
      },
      repeated: () => {
        this.#counts.repeated++;
      },
    };
    this.#devices = new Map();
    for (const identity of options.devices) {
      this.#connectionOf.set(identity.id, this.#devices.size % connections);
      this.#devices.set(identity.id, new SimulatedDevice(identity, surroundings));
    }
  }

  /** Resolves once every device that is online has said hello and the bus keeps it. */
  static async start(options: FleetOptions): Promise<Fleet> {
    const fleet = new Fleet(options);
    try {
      await fleet.#start();
      return fleet;
    } catch (error) {
      await fleet.stop();
      throw error;
    }
  }

  get counts(): FleetCounts {
    return { devices: this.#devices.size, online: this.#online.length, ...this.#counts };
  }

  /** Leaves the bus; what is being executed is never answered. */
  async stop(): Promise<void> {
    this.#stopped.abort();
    clearTimeout(this.#arrival);
    this.#heartbeats?.stop();
    for (const device of this.#devices.values()) device.stop();
    await Promise.all(this.#connections.map(leave));
    await Promise.all([this.options.executionLog?.close(), this.options.endLog?.close()]);
  }

  async #start(): Promise<void> {
    const { nats, creds, ca, project, connections, behaviour, offlineSeconds, warn } = this.options;
    const { signal } = this.#stopped;
    for (let i = 0; i < connections; i++) {
      const nc = await connectForever(
        { url: nats, creds, ca, inbox: fleetInbox(project), name: `muster-fleet ${project} ${i}` },
        {
          signal,
          failed: (error, attempt) => attempt === 1 && warn?.(`${nats}: ${(error as Error).message}, trying on`),
        },
      );
      this.#connections.push(nc);
      void watchConnection(nc, { back: () => void this.#helloAgain(i) });
    }
    const [receiving] = this.#connections as [NatsConnection];
    this.#subscribe(receiving, 'command', (device, message) =>
      device.receive(readPayload(CommandMessage, message), traceOf(message)),
    );
    this.#subscribe(receiving, 'cancel', (device, message) =>
      device.cancel(readPayload(CancelMessage, message), traceOf(message)),
    );
    // The answer to hello is every command that waits: the server must know the subscriptions by then.
    await receiving.flush();

    const devices = [...this.#devices.values()];
    const offline = devices.filter((device) => isOffline(behaviour, device.name));
    const absent = new Set(offline);
    await this.#arrive(devices.filter((device) => !absent.has(device)));
    if (offlineSeconds !== undefined) {
      this.#arrival = setTimeout(() => void this.#arrive(offline), offlineSeconds * 1000);
    }
    this.#heartbeats = new Heartbeats(this.#online, HEARTBEAT_SECONDS * 1000, (device) => {
      if (device.online) this.#publish(device, 'heartbeat', {});
    });
  }

  #subscribe(nc: NatsConnection, channel: ChannelName, use: (device: SimulatedDevice, message: Msg) => void): void {
    nc.subscribe(deviceSubject(this.options.project, '*', channel), {
      callback: (_error, message) => {
        const device = this.#devices.get(parseDeviceSubject(message.subject).device_id);
        if (!device?.online) return;
        try {
          use(device, message);
        } catch {
          this.#counts.dropped++;
        }
      },
    });
  }

  async #arrive(devices: readonly SimulatedDevice[]): Promise<void> {
    for (const device of devices) {
      device.online = true;
      this.#online.push(device);
    }
    await Promise.all(this.#connections.map((_, i) => this.#hello(devices.filter((device) => this.#uses(device, i)))));
  }

  /** After a connection was away, the messages that went over it may be lost; commands all come over the first. */
  async #helloAgain(connection: number): Promise<void> {
    const concerned = this.#online.filter((device) => connection === 0 || this.#uses(device, connection));
    await this.#hello(concerned.filter((device) => device.online));
  }

  async #hello(devices: readonly SimulatedDevice[]): Promise<void> {
    const { signal } = this.#stopped;
    const ofTheFleet = helloIn(this.#bootId);
    const queue = devices.values();
    const sayAll = async () => {
      for (const device of queue) {
        const js = this.#connection(device).jetstream();
        const subject = deviceSubject(this.options.project, device.id, 'hello');
        const payload = device.bootId === this.#bootId ? ofTheFleet : helloIn(device.bootId);
        await untilSuccess(() => js.publish(subject, payload, { timeout: ACK_TIMEOUT_MS }), { signal });
      }
    };
    try {
      await Promise.all(Array.from({ length: HELLOS_UNDER_WAY }, sayAll));
    } catch (error) {
      if (!signal.aborted) throw error;
    }
  }

  #publish(device: DeviceIdentity, channel: ChannelName, payload: object, traceparent?: string): void {
    if (this.#stopped.signal.aborted) return;
    const headers = traceHeaders(traceparent);
    const subject = deviceSubject(this.options.project, device.id, channel);
    this.#connection(device).publish(subject, JSON.stringify(payload), headers && { headers });
  }

  #connection(device: DeviceIdentity): NatsConnection {
    return this.#connections[this.#connectionOf.get(device.id) ?? 0] as NatsConnection;
  }

  #uses(device: DeviceIdentity, connection: number): boolean {
    return this.#connectionOf.get(device.id) === connection;
  }
}

function helloIn(boot_id: string): string {
  const hello: Hello = { agent: 'muster-fleet', version: packageVersion, boot_id, reported: { simulated: true } };
  return JSON.stringify(hello);
}
