import type { JsonObject } from '@muster/contracts';
import { spawn, type ChildProcess } from 'node:child_process';
import { dirname } from 'node:path';
import { handlerEnvironment } from './handler.environment.js';
import { HandlerOutput, TextTail } from './handler.output.js';

/** Longest `reason` of a status. */
const MAX_REASON = 2048;
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
  evidence?: JsonObject;
  evidenceDropped: boolean;
}

/** A handler that runs: the command on its stdin, its stdout read as {@link HandlerOutput} says. */
export class HandlerProcess {
  /** Resolves when the handler has ended, however that came; never rejects. */
  readonly ended: Promise<HandlerEnd>;
  readonly #child: ChildProcess;
  #killTimer: NodeJS.Timeout | undefined;

  constructor(file: string, input: string, onProgress: (percent: number) => void) {
    const output = new HandlerOutput(onProgress);
    const stderr = new TextTail(REASON_LINES, MAX_REASON);
    const child = spawn(file, [], {
      cwd: dirname(file),
      // A group of its own, so that what the handler starts is stopped with it.
      detached: true,
      env: handlerEnvironment(process.env),
    });
    this.#child = child;
    child.stdout.on('data', (chunk: Buffer) => output.push(chunk));
    child.stderr.on('data', (chunk: Buffer) => stderr.push(chunk));
    // A handler need not read its stdin.
    child.stdin.on('error', () => undefined);
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
          ...(output.evidence && { evidence: output.evidence }),
          evidenceDropped: output.evidenceDropped,
        });
      };
      child.once('error', (error) => {
        if (child.pid === undefined) end(error.message);
      });
      child.once('exit', () => {
        // Stopped, it does not leave behind what it has started.
        if (this.#killTimer) this.#signal('SIGKILL');
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

  /** SIGTERM to the handler and all it has started; SIGKILL when it has not ended after a grace. */
  stop(): void {
    if (this.#killTimer) return;
    const { exitCode, signalCode } = this.#child;
    if (exitCode !== null || signalCode !== null) return;
    this.#signal('SIGTERM');
    this.#killTimer = setTimeout(() => this.#signal('SIGKILL'), KILL_GRACE_MS);
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
