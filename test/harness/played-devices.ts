import {
  deviceSubject,
  HEARTBEAT_SECONDS,
  parseDeviceSubject,
  type CancelMessage,
  type CommandMessage,
  type Device,
  type StatusMessage,
} from '@muster/contracts';
import type { NatsConnection } from 'nats';
import type { Stack } from './stack.ts';

const PROJECT = 'demo';

/** A command that a device has heard of and not ended. */
export interface OpenCommand {
  device_id: string;
  command_id: string;
  fence: number;
  job_id: string;
  /** The device was told to stop it. */
  cancelled: boolean;
}

/** Devices that a test plays itself: they acknowledge each command, and end it when the test says so and how. */
export class PlayedDevices {
  private readonly open = new Map<string, OpenCommand>();
  /** The last that devices said of each command. */
  private readonly said = new Map<string, StatusMessage>();
  private heartbeat: NodeJS.Timeout | undefined;
  readonly ids: readonly string[];
  private readonly bus: NatsConnection;

  private constructor(bus: NatsConnection, ids: readonly string[]) {
    this.bus = bus;
    this.ids = ids;
  }

  /** Registers devices of these names and has them say hello. */
  static async start(stack: Stack, names: readonly string[]): Promise<PlayedDevices> {
    const ids = await Promise.all(
      names.map(async (name) => (await stack.api<Device>('POST', '/api/v1/devices', { name })).body.id),
    );
    const devices = new PlayedDevices(await stack.nats(), ids);
    await devices.listen();
    return devices;
  }

  stop(): void {
    clearInterval(this.heartbeat);
  }

  /** What devices work on. */
  get underWay(): OpenCommand[] {
    return [...this.open.values()];
  }

  /** What a job's devices work on. */
  of(job_id: string): OpenCommand[] {
    return this.underWay.filter((command) => command.job_id === job_id);
  }

  /** A device ends a command. `code`: of a failure. */
  end({ device_id, command_id, fence }: OpenCommand, status: 'success' | 'failure', code = ''): void {
    this.open.delete(command_id);
    this.say(device_id, { command_id, fence, status, ...(code && { code }) });
  }

  /** A device never ends a command. */
  forget({ command_id }: OpenCommand): void {
    this.open.delete(command_id);
  }

  private async listen(): Promise<void> {
    const own = new Set(this.ids);
    const hear = <Message>(channel: 'command' | 'cancel', heard: (device: string, message: Message) => void) =>
      this.bus.subscribe(deviceSubject(PROJECT, '*', channel), {
        callback: (_error, message) => {
          const { device_id } = parseDeviceSubject(message.subject);
          if (own.has(device_id)) heard(device_id, message.json<Message>());
        },
      });
    hear<CommandMessage>('command', (device, message) => this.take(device, message));
    hear<CancelMessage>('cancel', (_device, { command_id }) => {
      const command = this.open.get(command_id);
      if (command) command.cancelled = true;
    });
    await this.bus.flush();
    const bus = this.bus.jetstream();
    for (const id of this.ids) await bus.publish(deviceSubject(PROJECT, id, 'hello'), '{}');
    this.heartbeat = setInterval(() => {
      for (const id of this.ids) this.bus.publish(deviceSubject(PROJECT, id, 'heartbeat'), '{}');
    }, HEARTBEAT_SECONDS * 1000);
  }

  private take(device_id: string, { command_id, fence, args }: CommandMessage): void {
    const said = this.said.get(command_id);
    // It comes again while the dispatcher has not read what was said of it.
    if (said?.fence === fence) return this.say(device_id, said);
    this.open.set(command_id, { device_id, command_id, fence, job_id: String(args['job_id']), cancelled: false });
    this.say(device_id, { command_id, fence, status: 'acknowledged' });
  }

  private say(device_id: string, message: StatusMessage): void {
    this.said.set(message.command_id, message);
    this.bus.publish(deviceSubject(PROJECT, device_id, 'status'), JSON.stringify(message));
  }
}
