import {
  commandDispatcher,
  commandWork,
  deviceState,
  deviceSubject,
  jobWork,
  type Command,
  type CommandMessage,
  type StatusMessage,
} from '@muster/contracts';
import { RunningService } from '@muster/service/testing';
import { v7 as uuid } from 'uuid';
import { vi } from 'vitest';
import { CommandDispatcherModule } from '../command-dispatcher.module.js';
import { entities, migrations } from '../schema.js';

export const PROJECT = 'acme';

/** The real dispatcher; the test is device-state, the asker and the devices. */
export class RunningDispatcher {
  /** Devices that exist, and whether they are online, as device-state would say. */
  readonly devices = new Map<string, { online: boolean; version: number }>();
  /** Every command that was sent to a device, in order. */
  readonly sent: (CommandMessage & { device_id: string; traceparent: string | undefined })[] = [];
  readonly cancels: { device_id: string; command_id: string; fence: number }[] = [];
  readonly outcomes;

  private constructor(readonly service: RunningService) {
    this.outcomes = service.hear(jobWork.outcome);
    service.answer(deviceState.presence, ({ ids }) => ({
      devices: ids.flatMap((id) => {
        const device = this.devices.get(id);
        return device ? [{ id, ...device }] : [];
      }),
    }));
    service.connection.subscribe(deviceSubject(PROJECT, '*', 'command'), {
      callback: (_error, message) =>
        void this.sent.push({
          ...message.json<CommandMessage>(),
          device_id: message.subject.split('.')[3]!,
          traceparent: message.headers?.get('traceparent'),
        }),
    });
    service.connection.subscribe(deviceSubject(PROJECT, '*', 'cancel'), {
      callback: (_error, message) =>
        void this.cancels.push({
          ...message.json<{ command_id: string; fence: number }>(),
          device_id: message.subject.split('.')[3]!,
        }),
    });
  }

  static async start(): Promise<RunningDispatcher> {
    const service = await RunningService.start({
      service: 'command-dispatcher',
      module: CommandDispatcherModule,
      entities,
      migrations,
    });
    const running = new RunningDispatcher(service);
    await service.connection.flush();
    return running;
  }

  device(online = true): string {
    const id = uuid();
    this.devices.set(id, { online, version: online ? 2 : 1 });
    return id;
  }

  /** Asks for one command on each device, as job-planner does; gives the ids of the commands in the order of the devices. */
  async request(
    devices: readonly string[],
    settings: {
      in_progress_seconds?: number;
      offline_seconds?: number;
      priority?: number;
      args?: object;
      request_id?: string;
    } = {},
  ): Promise<string[]> {
    const items = devices.map((device_id) => ({ command_id: uuid(), device_id, ref: uuid(), args: {} }));
    await this.ask(items, settings);
    return items.map((item) => item.command_id);
  }

  async ask(
    items: { command_id: string; device_id: string; ref: string; args: Record<string, unknown> }[],
    { in_progress_seconds = 60, offline_seconds = 600, priority = 0, args = {}, request_id = uuid() } = {},
  ): Promise<void> {
    const head = {
      request_id,
      command: 'deployment_deploy',
      args: args as Record<string, unknown>,
      in_progress_seconds,
      offline_seconds,
      priority,
      reply_to: jobWork.outcome.subject,
    };
    await this.service.ask(commandWork.request, { project_id: PROJECT, head, items });
  }

  /** Presence as device-state tells it. */
  async presence(device_id: string, online: boolean): Promise<void> {
    const version = (this.devices.get(device_id)?.version ?? 0) + 1;
    this.devices.set(device_id, { online, version });
    await this.service.ask(commandWork.presence, {
      project_id: PROJECT,
      head: {},
      items: [{ device_id, online, version }],
    });
  }

  status(device_id: string, status: Partial<StatusMessage> & Pick<StatusMessage, 'command_id' | 'status'>): void {
    this.service.say(PROJECT, device_id, 'status', { fence: 1, ...status });
  }

  command(id: string): Promise<Command> {
    return this.service.call(commandDispatcher.getCommand, { project_id: PROJECT, id });
  }

  /** Waits until the command is in the state. */
  async reached(id: string, state: Command['state']): Promise<Command> {
    let last: Command | undefined;
    await vi.waitUntil(
      async () => {
        last = await this.command(id).catch(() => undefined);
        return last?.state === state;
      },
      { timeout: 15_000, interval: 20 },
    );
    return last!;
  }

  async sentTo(device: string, count: number): Promise<CommandMessage[]> {
    await vi.waitUntil(() => this.sent.filter((message) => message.device_id === device).length >= count, {
      timeout: 15_000,
    });
    return this.sent.filter((message) => message.device_id === device);
  }

  /** The outcomes of a command that the asker was told. */
  outcomesOf(command_id: string): string[] {
    return this.outcomes
      .flatMap((batch) => batch.items)
      .filter((item) => item.command_id === command_id)
      .map((item) => item.status);
  }

  /** Waits until the asker was told of the command's end. */
  async outcome(command_id: string): Promise<string[]> {
    await vi.waitUntil(() => this.outcomesOf(command_id).length > 0);
    return this.outcomesOf(command_id);
  }
}
