import type { Report, StatusMessage } from '@muster/contracts';
import { randomUUID } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { untilSuccess } from '../device/retry.js';
import { UNFINISHED, writeDurably } from './durable-file.js';
import { reasonOf, type Log } from './log.js';

/** What a device says about a command. `id` is the same on every try, so that the bus can drop a repetition. */
export type OutboxMessage = { id: string; traceparent?: string | undefined } & (
  { channel: 'status'; payload: StatusMessage } | { channel: 'report'; payload: Report }
);

/** Without its id, as one hands it in. */
export type Outgoing = OutboxMessage extends infer M ? (M extends OutboxMessage ? Omit<M, 'id'> : never) : never;

/** Where a message waits: whole in memory, or on disk under its name. */
type Waiting = { message: OutboxMessage } | { file: string };

/** Oldest ones are dropped beyond this: their commands answer again when the server asks again. */
const LARGEST_BACKLOG = 1_000;

/**
 * What the device has said and the server has not yet taken, in order. Ends of commands and reports wait on disk; an
 * interim status waits in memory, where a newer one of the same command takes its place: after a restart of the agent
 * it would no longer be true.
 */
export class Outbox {
  #waiting: Waiting[];
  #sequence: number;
  #sending: Promise<void> | undefined;
  #publish: ((message: OutboxMessage) => Promise<void>) | undefined;
  readonly #closed = new AbortController();

  constructor(
    readonly dir: string,
    readonly log: Log,
  ) {
    mkdirSync(dir, { recursive: true, mode: 0o700 });
    const files: string[] = [];
    for (const name of readdirSync(dir).sort()) {
      if (name.endsWith(UNFINISHED)) rmSync(join(dir, name));
      else files.push(name);
    }
    this.#waiting = files.map((file) => ({ file }));
    this.#sequence = Number.parseInt(files.at(-1) ?? '0', 10);
  }

  /** Starts to send, through `publish`, which resolves once the server keeps the message. */
  open(publish: (message: OutboxMessage) => Promise<void>): void {
    this.#publish = publish;
    this.#send();
  }

  add(outgoing: Outgoing): void {
    const message: OutboxMessage = { id: randomUUID(), ...outgoing };
    if (message.channel === 'status') this.#dropInterim(message.payload.command_id);
    this.#waiting.push(isInterim(message) ? { message } : this.#keep(message));
    if (this.#waiting.length > LARGEST_BACKLOG) {
      // The first one may be on its way.
      this.#forget(this.#waiting.splice(1, 1)[0]);
      this.log('warn', 'outbox is full, oldest message dropped');
    }
    this.#send();
  }

  /** Stops sending; what has not been sent within `graceMs` waits for the next start. */
  async close(graceMs: number): Promise<void> {
    const timer = new AbortController();
    await Promise.race([this.#sending, delay(graceMs, undefined, { signal: timer.signal }).catch(() => undefined)]);
    timer.abort();
    this.#closed.abort();
  }

  #keep(message: OutboxMessage): Waiting {
    const file = `${String(++this.#sequence).padStart(12, '0')}.json`;
    try {
      writeDurably(join(this.dir, file), JSON.stringify(message));
      return { file };
    } catch (error) {
      this.log('error', 'message kept in memory only', { reason: reasonOf(error) });
      return { message };
    }
  }

  #dropInterim(commandId: string): void {
    this.#waiting = this.#waiting.filter(
      (one, index) =>
        index === 0 ||
        !('message' in one) ||
        !isInterim(one.message) ||
        (one.message.payload as StatusMessage).command_id !== commandId,
    );
  }

  #send(): void {
    if (this.#publish && this.#waiting.length > 0) this.#sending ??= this.#sendAll(this.#publish);
  }

  async #sendAll(publish: (message: OutboxMessage) => Promise<void>): Promise<void> {
    const { signal } = this.#closed;
    try {
      for (let next = this.#waiting[0]; next; next = this.#waiting[0]) {
        const message = this.#read(next);
        if (message) {
          await untilSuccess(() => publish(message), {
            signal,
            failed: (error, attempt) => {
              if (attempt === 1) this.log('warn', 'message not taken yet', { reason: reasonOf(error) });
            },
          });
        }
        this.#waiting.shift();
        this.#forget(next);
      }
    } catch (error) {
      if (!signal.aborted) throw error;
    } finally {
      this.#sending = undefined;
    }
  }

  #read(waiting: Waiting): OutboxMessage | undefined {
    if ('message' in waiting) return waiting.message;
    try {
      return JSON.parse(readFileSync(join(this.dir, waiting.file), 'utf8')) as OutboxMessage;
    } catch (error) {
      this.log('error', 'unreadable message dropped', { file: waiting.file, reason: reasonOf(error) });
      return undefined;
    }
  }

  #forget(waiting: Waiting | undefined): void {
    if (waiting && 'file' in waiting) rmSync(join(this.dir, waiting.file), { force: true });
  }
}

const isInterim = (message: OutboxMessage): boolean =>
  message.channel === 'status' &&
  (message.payload.status === 'acknowledged' || message.payload.status === 'inprogress');
