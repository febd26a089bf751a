import {
  commandDispatcher,
  commandWork,
  deviceState,
  deviceSubject,
  DomainError,
  jobWork,
  type Command,
  type CommandMessage,
  type CommandRequest,
  type CommandRequestDocument,
  type CommandStats,
  type DeviceQuery,
  type NewCommandRequest,
  type RpcRequest,
  type StatusMessage,
  type WorkItem,
} from '@muster/contracts';
import { RunningService } from '@muster/service/testing';
import { v7 as uuid } from 'uuid';
import { vi } from 'vitest';
import { CommandDispatcherModule } from '../command-dispatcher.module.js';
import { entities, migrations } from '../schema.js';

export const PROJECT = 'acme';
export const ACTOR = '01890000-0000-7000-8000-00000000000a';

type CommandItem = WorkItem<typeof commandWork.request>;

/** A command that nobody has asked for yet. */
export const newItem = (device_id: string, more: Partial<CommandItem> = {}): CommandItem => ({
  command_id: uuid(),
  device_id,
  ref: uuid(),
  args: {},
  ...more,
});

/** The real dispatcher; the test is device-state, the asker and the devices. */
export class RunningDispatcher {
  /** Devices that exist, and whether they are online, as device-state would say. */
  readonly devices = new Map<string, { online: boolean; version: number; timezone?: string }>();
  /** Groups that exist, with their devices. */
  readonly groups = new Map<string, readonly string[]>();
  /** Every command that was sent to a device, in order. */
  readonly sent: (CommandMessage & { device_id: string; traceparent: string | undefined })[] = [];
  readonly cancels: { device_id: string; command_id: string; fence: number }[] = [];
  readonly outcomes;

  private constructor(readonly service: RunningService) {
    this.outcomes = service.hear(jobWork.outcome);
    service.answer(deviceState.presence, ({ ids }) => ({
      devices: ids.flatMap((id) => {
        const device = this.devices.get(id);
        return device ? [{ id, online: device.online, version: device.version }] : [];
      }),
    }));
    this.answerResolve();
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

  /** @param at when it is for the dispatcher; the real time when absent. */
  static async start(at?: Date): Promise<RunningDispatcher> {
    const service = await RunningService.start(
      { service: 'command-dispatcher', module: CommandDispatcherModule, entities, migrations },
      {},
      { at },
    );
    const running = new RunningDispatcher(service);
    await service.connection.flush();
    return running;
  }

  device(online = true, timezone?: string): string {
    const id = uuid();
    this.devices.set(id, { online, version: online ? 2 : 1, ...(timezone !== undefined && { timezone }) });
    return id;
  }

  group(devices: readonly string[]): string {
    const id = uuid();
    this.groups.set(id, devices);
    return id;
  }

  /** Asks for commands as a user does. */
  create(request: Partial<NewCommandRequest>, { id = uuid(), timezone = 'UTC' } = {}): Promise<CommandRequestDocument> {
    const whole = { command: 'ping', ...request };
    return this.service.call(commandDispatcher.createCommandRequest, {
      project_id: PROJECT,
      id,
      request: whole,
      created_by: ACTOR,
      timezone,
    });
  }

  /** One command of a user to one device. */
  async commandFor(device: string, request: Partial<NewCommandRequest> = {}): Promise<Command> {
    const { id } = await this.create({ devices: [device], ...request });
    return (await this.commandsOf(id)).at(-1)!;
  }

  stats(id: string): Promise<CommandStats> {
    return this.service.call(commandDispatcher.commandStats, { project_id: PROJECT, id });
  }

  cancelRequest(id: string, reason = 'no longer wanted'): Promise<CommandRequestDocument> {
    return this.service.call(commandDispatcher.cancelCommandRequest, { project_id: PROJECT, id, reason });
  }

  /** The commands of a user's request, in the order of their making. */
  async commandsOf(request: string): Promise<Command[]> {
    const asked = { project_id: PROJECT, request: [request], limit: 1000, offset: 0 };
    return (await this.service.call(commandDispatcher.listCommands, asked)).commands.reverse();
  }

  private answerResolve(): void {
    const resolve = ({ query, after = '', limit }: RpcRequest<typeof deviceState.resolve>) => {
      const found = [...this.devices.keys()].filter((id) => id > after && this.fits(query ?? {}, id)).sort();
      const devices = found
        .slice(0, limit)
        .map((id) => ({ id, name: id, timezone: this.devices.get(id)!.timezone ?? 'UTC' }));
      return { devices, next: found.length > limit ? devices.at(-1)!.id : null };
    };
    this.service.connection.subscribe(deviceState.resolve.subject, {
      callback: (_error, message) => {
        try {
          message.respond(JSON.stringify({ ok: resolve(message.json<RpcRequest<typeof deviceState.resolve>>()) }));
        } catch (error) {
          const { kind, message: text, details } = error as DomainError;
          message.respond(JSON.stringify({ error: { kind, message: text, details } }));
        }
      },
    });
  }

  private fits(query: DeviceQuery, id: string, at = 'query'): boolean {
    if (query.group !== undefined && !this.groups.has(query.group)) {
      const error = { field: `${at}.group`, message: `no group ${query.group}` };
      throw new DomainError('invalid', `${error.field}: ${error.message}`, { errors: [error] });
    }
    return (
      (query.ids?.includes(id) ?? true) &&
      (query.online === undefined || query.online === this.devices.get(id)!.online) &&
      (query.group === undefined || this.groups.get(query.group)!.includes(id)) &&
      (query.and?.every((one, index) => this.fits(one, id, `${at}.and.${index}`)) ?? true) &&
      (query.or?.some((one, index) => this.fits(one, id, `${at}.or.${index}`)) ?? true)
    );
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
      terms?: Partial<CommandRequest>;
    } = {},
  ): Promise<string[]> {
    const items = devices.map((device_id) => newItem(device_id));
    await this.ask(items, settings);
    return items.map((item) => item.command_id);
  }

  async ask(
    items: CommandItem[],
    {
      in_progress_seconds = 60,
      offline_seconds = 600,
      priority = 0,
      args = {},
      request_id = uuid(),
      terms = {},
    }: {
      in_progress_seconds?: number;
      offline_seconds?: number;
      priority?: number;
      args?: object;
      request_id?: string;
      terms?: Partial<CommandRequest>;
    } = {},
  ): Promise<void> {
    const head = {
      request_id,
      command: 'deployment_deploy',
      args: args as Record<string, unknown>,
      in_progress_seconds,
      offline_seconds,
      priority,
      reply_to: jobWork.outcome.subject,
      ...terms,
    };
    await this.service.ask(commandWork.request, { project_id: PROJECT, head, items });
  }

  /** Cancels commands as job-planner does; a command that is not known has its id for a `ref`. */
  async cancel(ids: readonly string[], { request_id = uuid(), refs = ids, waiting_only = false } = {}): Promise<void> {
    await this.service.ask(commandWork.cancel, {
      project_id: PROJECT,
      head: { request_id, reason: 'no longer wanted', reply_to: jobWork.outcome.subject, waiting_only },
      items: ids.map((command_id, index) => ({ command_id, ref: refs[index]! })),
    });
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
    return this.toldOf(command_id).map((item) => item.status);
  }

  /** The same, with all that was told. */
  toldOf(command_id: string): WorkItem<typeof jobWork.outcome>[] {
    return this.outcomes.flatMap((batch) => batch.items).filter((item) => item.command_id === command_id);
  }

  /** Waits until the asker was told of the command's end. */
  async outcome(command_id: string): Promise<string[]> {
    await vi.waitUntil(() => this.outcomesOf(command_id).length > 0);
    return this.outcomesOf(command_id);
  }
}
