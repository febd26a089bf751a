import {
  commandDispatcher,
  DomainError,
  type Command,
  type CommandRequestDocument,
  type NewCommandRequest,
} from '@muster/contracts';
import type { NatsConnection } from 'nats';
import { v7 as uuid } from 'uuid';
import { answerRpc } from './services.fake.js';

const TIME = '2025-01-01T00:00:00.000Z';

/** command-dispatcher as far as its contract can be seen: creates are idempotent by id, each listed device gets a command, `nobody` is no device. */
export class FakeCommandDispatcher {
  readonly requests = new Map<string, CommandRequestDocument>();
  readonly commands = new Map<string, Command>();
  readonly asked: unknown[] = [];

  constructor(private readonly bus: NatsConnection) {}

  async start(): Promise<void> {
    answerRpc(this.bus, commandDispatcher.createCommandRequest, (asked) => {
      this.asked.push(asked);
      const { project_id, id, request, created_by } = asked;
      if (!request.devices) {
        const errors = [{ field: 'devices', message: 'is required for DEVICE' }];
        throw new DomainError('invalid', 'devices: is required for DEVICE', { errors });
      }
      const known = this.requests.get(id);
      if (known) return known;
      const document = documentOf(project_id, id, request, created_by);
      this.requests.set(id, document);
      for (const device of request.devices) this.add(document, device);
      return document;
    });
    answerRpc(this.bus, commandDispatcher.getCommandRequest, ({ project_id, id }) => this.request(project_id, id));
    answerRpc(this.bus, commandDispatcher.listCommandRequests, ({ project_id, limit, offset }) => {
      const all = [...this.requests.values()].filter((request) => request.project_id === project_id);
      return { count: all.length, requests: all.slice(offset, offset + limit) };
    });
    answerRpc(this.bus, commandDispatcher.cancelCommandRequest, ({ project_id, id, reason }) => {
      const request = this.request(project_id, id);
      Object.assign(request, { request_status: 'cancelled', request_status_reason: reason });
      return request;
    });
    answerRpc(this.bus, commandDispatcher.commandStats, ({ project_id, id }) => {
      this.request(project_id, id);
      const none = { SCHEDULED: 0, INITIATED: 0, ACKNOWLEDGED: 0, INPROGRESS: 0, SUCCESS: 0, FAILURE: 0 };
      return { total: 1, QUEUED: 1, ...none, TIMEOUT: 0, CANCELLED: 0 };
    });
    answerRpc(this.bus, commandDispatcher.listCommands, (asked) => {
      this.asked.push(asked);
      const all = [...this.commands.values()].filter(
        (command) => command.project_id === asked.project_id && (asked.device?.includes(command.device_id) ?? true),
      );
      return { count: all.length, commands: all.slice(asked.offset, asked.offset + asked.limit) };
    });
    answerRpc(this.bus, commandDispatcher.getCommand, ({ project_id, id }) => this.command(project_id, id));
    answerRpc(this.bus, commandDispatcher.cancelCommand, ({ project_id, id, reason }) =>
      Object.assign(this.command(project_id, id), { state: 'CANCELLED', reason }),
    );
    await this.bus.flush();
  }

  private add({ project_id, id: request_id, command, args }: CommandRequestDocument, device_id: string): void {
    const id = uuid();
    this.commands.set(id, {
      ...{
        id,
        project_id,
        request_id,
        device_id,
        command,
        args,
        state: 'QUEUED',
        attempt: 0,
        fence: 0,
        progress: null,
      },
      ...{ reason: '', code: '', evidence: null, late_answer: null, failures: [], waits_for: 'offline' },
      ...{ activity: [{ state: 'QUEUED', at: TIME }], created_at: TIME, updated_at: TIME, due_at: TIME },
    });
  }

  private request(project_id: string, id: string): CommandRequestDocument {
    const request = this.requests.get(id);
    if (request?.project_id !== project_id) throw new DomainError('not_found', `no command request ${id}`);
    return request;
  }

  private command(project_id: string, id: string): Command {
    const command = this.commands.get(id);
    if (command?.project_id !== project_id) throw new DomainError('not_found', `no command ${id}`);
    return command;
  }
}

const documentOf = (
  project_id: string,
  id: string,
  { command, devices = [], args = {} }: NewCommandRequest,
  created_by: string,
): CommandRequestDocument => ({
  ...{ id, project_id, command, command_type: 'DEVICE', device_type: 'all', devices, devices_truncated: false },
  ...{ groups: [], query: null, schedule: 'IMMEDIATE', schedule_args: {}, args, priority: 0, expires_at: null },
  ...{ concurrent: false, retry: [], request_status: 'running', request_status_reason: '', created_by },
  ...{ created_at: TIME, updated_at: TIME },
});
