import type { StatusMessage } from '@muster/contracts';
import { mkdirSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { UNFINISHED, writeDurably } from './durable-file.js';

/**
 * One command that this device has begun. `started`: ISO 8601. No `final`: it has not ended, or died on the way.
 * `reboot`: without a final, the next boot ends it; `before`: the id of the boot that it is to end.
 */
export interface CommandRecord {
  command_id: string;
  fence: number;
  started: string;
  reboot?: { before: string; traceparent?: string | undefined };
  final?: StatusMessage;
}

export interface MemoryLimits {
  /** The most commands remembered; the oldest are forgotten first. */
  count: number;
  /** Milliseconds after which a command is forgotten. */
  age: number;
}

const LIMITS: MemoryLimits = { count: 10_000, age: 30 * 24 * 3600 * 1000 };
const SUFFIX = '.json';

/**
 * The commands this device has begun or ended, one file each, so that none is run twice even when the agent is killed
 * in the middle of it. Every change is on disk when the call returns.
 */
export class CommandMemory {
  /** Command id → when it last changed (epoch milliseconds), oldest first. The records themselves stay on disk. */
  readonly #changed: Map<string, number>;

  constructor(
    readonly dir: string,
    readonly limits = LIMITS,
    readonly now = Date.now,
  ) {
    mkdirSync(dir, { recursive: true, mode: 0o700 });
    const found: [string, number][] = [];
    for (const name of readdirSync(dir)) {
      if (name.endsWith(UNFINISHED)) rmSync(join(dir, name));
      else found.push([name.slice(0, -SUFFIX.length), statSync(join(dir, name)).mtimeMs]);
    }
    this.#changed = new Map(found.sort(([, a], [, b]) => a - b));
    this.#prune();
  }

  /** @throws when the record cannot be read: then nobody knows whether the command may run. */
  recall(commandId: string): CommandRecord | undefined {
    if (!this.#changed.has(commandId)) return undefined;
    return JSON.parse(readFileSync(this.#file(commandId), 'utf8')) as CommandRecord;
  }

  /** The ids of all commands that are remembered. */
  get commandIds(): string[] {
    return [...this.#changed.keys()];
  }

  remember(record: CommandRecord): void {
    writeDurably(this.#file(record.command_id), JSON.stringify(record));
    this.#changed.delete(record.command_id);
    this.#changed.set(record.command_id, this.now());
    this.#prune();
  }

  #prune(): void {
    const tooOld = this.now() - this.limits.age;
    for (const [commandId, changed] of this.#changed) {
      if (this.#changed.size <= this.limits.count && changed > tooOld) return;
      rmSync(this.#file(commandId), { force: true });
      this.#changed.delete(commandId);
    }
  }

  #file(commandId: string): string {
    return join(this.dir, `${commandId}${SUFFIX}`);
  }
}
