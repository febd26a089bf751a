import type {
  CommandStats,
  DeviceOperation,
  NewDevice,
  NewOperation,
  Operation,
  OperationState,
} from '@muster/contracts';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Stack } from '../harness/stack.js';
import { until } from '../harness/until.js';

/** A page as the operations family gives it. */
export interface OffsetPage<Item> {
  count: number;
  previous: string | null;
  next: string | null;
  results: Item[];
}

/** What tests read of a command on a device. */
export interface CommandStatus {
  request: string;
  device: string;
  state: string;
  evidence: Record<string, string>;
}

export type Counts = Operation['operation_stats']['device_operation_statuses_count'];

const OPERATIONS = '/api/v0/operations/';
const COMMANDS = '/api/commands/v0/commands/';

/** What users do with operations and commands, over HTTP. */
export class OperationsClient {
  constructor(private readonly stack: Stack) {}

  /** A file of devices for `--devices-from`, each line with a number of its own in its name. */
  async deviceFile(prefix: string, count: number, device: Partial<NewDevice> = {}): Promise<string> {
    const path = join(this.stack.dataDir, `${prefix}.ndjson`);
    const lines = Array.from({ length: count }, (_, n) => JSON.stringify({ name: `${prefix}-${n}`, ...device }));
    await writeFile(path, lines.join('\n'));
    return path;
  }

  async register(device: NewDevice): Promise<string> {
    return (await this.ask<{ id: string }>('POST', '/api/v1/devices', device)).id;
  }

  /** Ids of the devices whose names begin so, at most 1,000. */
  async devices(prefix: string): Promise<string[]> {
    const path = `/api/v1/devices?name_prefix=${prefix}&limit=1000`;
    return (await this.ask<{ devices: { id: string }[] }>('GET', path)).devices.map(({ id }) => id);
  }

  async create(operation: NewOperation): Promise<string> {
    return (await this.ask<Operation>('POST', OPERATIONS, operation)).id;
  }

  get(id: string): Promise<Operation> {
    return this.ask('GET', OPERATIONS + id);
  }

  counts = async (id: string): Promise<Counts> => (await this.get(id)).operation_stats.device_operation_statuses_count;

  cancel(id: string, reason: string): Promise<Operation> {
    return this.ask('PUT', OPERATIONS + id, { state: 'CANCELLED', reason });
  }

  async reached(id: string, ...states: OperationState[]): Promise<Operation> {
    return until(
      `operation ${id} in ${states.join(' or ')}`,
      async () => {
        const operation = await this.get(id);
        return states.includes(operation.state) ? operation : undefined;
      },
      { timeout: 60_000, interval: 50 },
    );
  }

  /** All device operations of an operation, read page by page. */
  async parts(id: string): Promise<DeviceOperation[]> {
    const parts: DeviceOperation[] = [];
    let next: string | null = `${OPERATIONS}${id}/devices/?limit=1000`;
    while (next) {
      const { content }: { content: OffsetPage<DeviceOperation> } = await this.ask('GET', next);
      parts.push(...content.results);
      next = content.next;
    }
    return parts;
  }

  async part(id: string, device: string): Promise<DeviceOperation> {
    return (await this.ask<{ content: DeviceOperation }>('GET', `${OPERATIONS}${id}/devices/${device}/`)).content;
  }

  /** Sends a command request; gives its id. */
  async command(request: object): Promise<string> {
    return (await this.ask<{ content: { id: string } }>('POST', COMMANDS, request)).content.id;
  }

  async stats(id: string): Promise<CommandStats> {
    return (await this.ask<{ content: CommandStats }>('GET', `${COMMANDS}${id}/stats/`)).content;
  }

  /** The commands that a request of a user, or an operation, gave these devices. */
  async statuses(request: string, devices: readonly string[]): Promise<CommandStatus[]> {
    const path = `/api/commands/v0/status/?limit=1000&device=${devices.join()}`;
    const { content } = await this.ask<{ content: OffsetPage<CommandStatus> }>('GET', path);
    return content.results.filter((status) => status.request === request);
  }

  /** @throws with the answer when it is no success. */
  async ask<Body>(method: string, path: string, body?: unknown): Promise<Body> {
    const answer = await this.stack.api<Body>(method, path, body);
    if (answer.status >= 300) throw new Error(`${method} ${path}: ${answer.status} ${JSON.stringify(answer.body)}`);
    return answer.body;
  }
}
