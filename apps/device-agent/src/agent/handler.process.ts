import { STATUS_TEXT, type JsonObject } from '@muster/contracts';
import { spawn, type ChildProcess } from 'node:child_process';
import { dirname } from 'node:path';
import type { Writable } from 'node:stream';
import { handlerEnvironment } from './handler.environment.js';
import { HandlerOutput, TextTail, type HandlerLines } from './handler.output.js';

const REASON_LINES = 10;
/** How long a handler has to end after SIGTERM, and its descendants to let go of its pipes after its end. */
const KILL_GRACE_MS = 3_000;
const PIPE_GRACE_MS = 1_000;

/** How a handler ended: `exitCode`, or the `signal` that ended it, or the `error` that kept it from starting. */
export interface HandlerEnd {
  exitCode: number | null;
  signal: NodeJS.Signals | null;
  error?: string;
  /** The last lines of its stderr. */
  stderr: string;
  /** What it called its failure. */
  code?: string;
  evidence?: JsonObject;
  /** Why its evidence is not there. */
  evidenceDropped?: string;
}

/** What a handler that is about to reboot the machine reads from its descriptor {@link NOTES} before it does so. */
const NOTED = 'noted\n';
const NOTES = 3;

/**
 * A handler that runs: the command on its stdin, its stdout read as {@link HandlerOutput} says. To `reboot` it is answered
 * on descriptor 3: a line once `lines.reboot` has returned true, else the end of the file.
 */
export class HandlerProcess {
  /** Resolves when the handler has ended, however that came; never rejects. */
  readonly ended: Promise<HandlerEnd>;
  readonly #child: ChildProcess;
  #killTimer: NodeJS.Timeout | undefined;

  constructor(file: string, input: string, lines: Pick<HandlerLines, 'progress'> & { reboot(): boolean }) {
    const output = new HandlerOutput({
      progress: lines.progress,
      reboot: () => void notes.end(lines.reboot() ? NOTED : ''),
    });
    const stderr = new TextTail(REASON_LINES, STATUS_TEXT.reason);
    const child = spawn(file, [], {
      cwd: dirname(file),
      // A group of its own, so that what the handler starts is stopped with it.
      detached: true,
      env: handlerEnvironment(process.env),
      stdio: ['pipe', 'pipe', 'pipe', 'pipe'],
    });
    this.#child = child;
    const notes = child.stdio[NOTES] as Writable;
    child.stdout.on('data', (chunk: Buffer) => output.push(chunk));
    child.stderr.on('data', (chunk: Buffer) => stderr.push(chunk));
    // A handler need not read its stdin, nor what is noted for it.
    child.stdin.on('error', () => undefined);
    notes.on('error', () => undefined);
    child.stdin.end(input);

    this.ended = new Promise((resolve) => {
      const end = (error?: string) => {
        clearTimeout(this.#killTimer);
        output.end();
        resolve({
          exitCode: child.exitCode,
          signal: child.signalCode,
          ...(error !== undefined && { error }),
          stderr: stderr.toString(),
          ...(output.code !== undefined && { code: output.code }),
          ...(output.evidence && { evidence: output.evidence }),
          ...(output.evidenceDropped !== undefined && { evidenceDropped: output.evidenceDropped }),
        });
      };
      child.once('error', (error) => {
        if (child.pid === undefined) end(error.message);
      });
      child.once('exit', () => {
        // Stopped, it does not leave behind what it has started.
        if (this.#killTimer) this.#signal('SIGKILL');
        notes.destroy();
        // A daemon that the handler leaves behind may hold the pipes open for as long as it lives.
        const letGo = setTimeout(() => {
          child.stdout.destroy();
          child.stderr.destroy();
        }, PIPE_GRACE_MS);
        child.once('close', () => {
          clearTimeout(letGo);
          end();
        });
      });
    });
  }

  /**
   * SIGTERM to the handler and all it has started; SIGKILL when it has not ended after a grace.
   * @returns whether it is being stopped; not, when it has ended by itself already.
   */
  stop(): boolean {
    if (this.#killTimer) return true;
    const { exitCode, signalCode } = this.#child;
    if (exitCode !== null || signalCode !== null) return false;
    this.#signal('SIGTERM');
    this.#killTimer = setTimeout(() => this.#signal('SIGKILL'), KILL_GRACE_MS);
    return true;
  }

  #signal(signal: NodeJS.Signals): void {
    const { pid } = this.#child;
    if (pid === undefined) return;
    try {
      process.kill(-pid, signal);
    } catch (error) {
      // None of them is left.
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
    }
  }
}
