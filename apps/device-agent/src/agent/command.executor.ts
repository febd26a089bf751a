import type { CancelMessage, CommandMessage, StatusMessage } from '@muster/contracts';
import { setTimeout as delay } from 'node:timers/promises';
import { decideCommand, type KnownCommand } from '../device/command.decision.js';
import { awaitsBoot, endByBoot, endOf, reportedBy, stopped, type CommandEnd, type StopCode } from './command.end.js';
import type { CommandMemory, CommandRecord } from './command.memory.js';
import { Deadline } from './deadline.js';
import { findHandler } from './handler.find.js';
import { HandlerProcess, type HandlerEnd } from './handler.process.js';
import { reasonOf, type Log } from './log.js';
import type { Outgoing } from './outbox.js';
import { Throttle } from './throttle.js';

const PROGRESS_EVERY_MS = 500;

/** A command as it came, with the trace that its answers carry on. */
export interface ReceivedCommand {
  message: CommandMessage;
  traceparent?: string | undefined;
}

interface Run {
  /** The newest message about the command: its fence is the one that is answered. */
  received: ReceivedCommand;
  /** As it is on disk. */
  record: CommandRecord;
  progress?: number;
  handler: HandlerProcess;
  deadline: Deadline;
  stopCode?: StopCode;
  /** Its handler has ended, and the machine is about to boot anew. */
  awaitsBoot: boolean;
  /** A new attempt that came while this one was being stopped. */
  next?: ReceivedCommand;
  done: Promise<void>;
}

export interface ExecutorOptions {
  /** Folder of the handlers. */
  handlers: string;
  memory: CommandMemory;
  /** The id of the machine's present boot. */
  bootId: string;
  /** Takes what is to be told to the server. */
  say: (outgoing: Outgoing) => void;
  log: Log;
}

/**
 * Runs commands, each at most once: a command is remembered on disk before its handler starts and after it has ended,
 * and {@link decideCommand} says what a message means in the light of that.
 */
export class CommandExecutor {
  readonly #running = new Map<string, Run>();
  #stopping = false;

  constructor(readonly options: ExecutorOptions) {}

  /** Ends the commands whose result is the boot that has come since; to be called before any message is received. */
  settleReboots(): void {
    for (const command_id of this.options.memory.commandIds) {
      this.#guarded(command_id, () => {
        const record = this.options.memory.recall(command_id);
        if (!record?.reboot || record.final) return;
        const { before, traceparent } = record.reboot;
        this.#end(record, endByBoot(before, this.options.bootId), traceparent);
      });
    }
  }

  receive(received: ReceivedCommand): void {
    const { command_id, command, fence } = received.message;
    this.#guarded(command_id, () => {
      const record = this.options.memory.recall(command_id);
      const decision = decideCommand(this.#known(record), fence);
      this.options.log('info', 'command received', { command_id, command, fence, decision });
      if (decision === 'run') this.#run(received);
      else if (decision === 'join') this.#join(this.#running.get(command_id) as Run, received);
      else if (record && decision !== 'stale') this.#answerAgain(record, fence, received.traceparent);
    });
  }

  /** Stops a command that runs; one that was never seen is remembered as cancelled, in case it is still on its way. */
  cancel(message: CancelMessage, traceparent?: string): void {
    const { command_id, fence } = message;
    this.#guarded(command_id, () => {
      const record = this.options.memory.recall(command_id);
      const decision = decideCommand(this.#known(record), fence);
      this.options.log('info', 'cancel received', { command_id, fence, decision });
      const run = this.#running.get(command_id);
      if (decision === 'run') {
        this.#end({ command_id, fence, started: new Date().toISOString() }, stopped('cancelled'), traceparent);
      } else if (run) {
        if (run.received.message.fence === fence) this.#stopRun(run, 'cancelled');
      } else if (record && decision !== 'stale') {
        this.#answerAgain(record, fence, traceparent);
      }
    });
  }

  /**
   * Takes no more commands, and resolves when none runs: those that need longer than `graceMs` are stopped. Those that
   * wait for a reboot are left to the next start.
   */
  async stop(graceMs: number): Promise<void> {
    this.#stopping = true;
    const done = () => Promise.all([...this.#running.values()].map((run) => run.done));
    const patience = new AbortController();
    await Promise.race([done(), delay(graceMs, undefined, { signal: patience.signal }).catch(() => undefined)]);
    patience.abort();
    for (const run of this.#running.values()) this.#stopRun(run, 'interrupted');
    await done();
    for (const run of this.#running.values()) run.deadline.cancel();
  }

  /** A command whose memory cannot be read or written must not run: it is left to the server to ask again. */
  #guarded(command_id: string, act: () => void): void {
    if (this.#stopping) return;
    try {
      act();
    } catch (error) {
      this.options.log('error', 'message dropped', { command_id, reason: reasonOf(error) });
    }
  }

  #known(record: CommandRecord | undefined): KnownCommand | undefined {
    if (!record) return undefined;
    if (this.#running.has(record.command_id)) return { fence: record.fence, state: 'running' };
    const ends = { success: 'succeeded', failure: 'failed' } as const;
    const state = record.final ? ends[record.final.status as keyof typeof ends] : 'interrupted';
    return { fence: record.fence, state };
  }

  #run(received: ReceivedCommand): void {
    const { message, traceparent } = received;
    const { command_id, fence } = message;
    const record: CommandRecord = { command_id, fence, started: new Date().toISOString() };
    this.options.memory.remember(record);
    this.#say({ command_id, fence, status: 'acknowledged' }, traceparent);

    const deadline = Date.parse(message.deadline);
    if (deadline <= Date.now()) return this.#end(record, stopped('deadline'), traceparent);
    const file = findHandler(this.options.handlers, message.command);
    if (file === undefined) {
      const reason = `no executable named ${message.command} in the handlers folder`.slice(0, 2048);
      return this.#end(record, { status: 'failure', code: 'no_handler', reason }, traceparent);
    }

    const progress = new Throttle<number>(PROGRESS_EVERY_MS, (percent) => {
      run.progress = percent;
      this.#sayInProgress(run);
    });
    let handler: HandlerProcess;
    try {
      handler = new HandlerProcess(file, JSON.stringify(message), {
        progress: (percent) => progress.push(percent),
        reboot: () => this.#noteReboot(run),
      });
    } catch (error) {
      return this.#end(record, { status: 'failure', code: 'not_started', reason: reasonOf(error) }, traceparent);
    }
    const run: Run = {
      received,
      record,
      handler,
      awaitsBoot: false,
      deadline: new Deadline(deadline, () => this.#stopRun(run, 'deadline')),
      done: handler.ended.then((end) => {
        progress.cancel();
        this.#handlerEnded(run, end);
      }),
    };
    this.#running.set(command_id, run);
  }

  /** Answers whether it is on disk that the next boot is the result of the run, so that the reboot may come. */
  #noteReboot(run: Run): boolean {
    const { command_id } = run.record;
    try {
      const reboot = { before: this.options.bootId, traceparent: run.received.traceparent };
      this.#keep(run, { ...run.record, reboot });
      this.options.log('info', 'reboot noted', { command_id });
      return true;
    } catch (error) {
      this.options.log('error', 'reboot not noted', { command_id, reason: reasonOf(error) });
      return false;
    }
  }

  #stillUp(): CommandEnd {
    return endByBoot(this.options.bootId, this.options.bootId);
  }

  #keep(run: Run, record: CommandRecord): void {
    this.options.memory.remember(record);
    run.record = record;
  }

  #handlerEnded(run: Run, end: HandlerEnd): void {
    const { record, stopCode } = run;
    run.awaitsBoot = record.reboot !== undefined && awaitsBoot(end, stopCode);
    if (run.awaitsBoot) return;
    if (record.reboot && stopCode === 'deadline') return this.#endRun(run, this.#stillUp());
    this.#endRun(run, stopCode ? stopped(stopCode) : endOf(end));
  }

  #endRun(run: Run, end: CommandEnd): void {
    run.deadline.cancel();
    this.#running.delete(run.record.command_id);
    this.#end(run.record, end, run.received.traceparent);
    if (run.next) this.receive(run.next);
  }

  #join(run: Run, received: ReceivedCommand): void {
    const { fence, deadline } = received.message;
    if (fence > run.received.message.fence) {
      if (run.stopCode) {
        run.next = received;
        return;
      }
      this.#keep(run, { ...run.record, fence });
      run.deadline.move(Date.parse(deadline));
    }
    run.received = received;
    this.#sayInProgress(run);
  }

  #stopRun(run: Run, code: StopCode): void {
    if (run.awaitsBoot) {
      // Nothing stops a machine that goes down; one that is still up at the deadline has not.
      if (code === 'deadline') this.#endRun(run, this.#stillUp());
      return;
    }
    if (run.handler.stop()) run.stopCode ??= code;
  }

  #answerAgain(record: CommandRecord, fence: number, traceparent: string | undefined): void {
    if (record.final) this.#say({ ...record.final, fence }, traceparent);
    else this.#end(record, stopped('interrupted'), traceparent);
  }

  #end(record: CommandRecord, end: CommandEnd, traceparent: string | undefined): void {
    const { command_id, fence } = record;
    const final: StatusMessage = { command_id, fence, ...end };
    const reported = reportedBy(end);
    if (reported) this.options.say({ channel: 'report', payload: { reported }, traceparent });
    try {
      this.options.memory.remember({ ...record, final });
    } catch (error) {
      // The end is true all the same; asked again after a restart, the agent will say that it was interrupted.
      this.options.log('error', 'end of command not kept', { command_id, reason: reasonOf(error) });
    }
    this.options.log('info', 'command ended', { command_id, fence, status: end.status, code: end.code });
    this.#say(final, traceparent);
  }

  #sayInProgress(run: Run): void {
    const { command_id, fence } = run.received.message;
    const progress = run.progress !== undefined && { progress: run.progress };
    this.#say({ command_id, fence, status: 'inprogress', ...progress }, run.received.traceparent);
  }

  #say(payload: StatusMessage, traceparent: string | undefined): void {
    this.options.say({ channel: 'status', payload, traceparent });
  }
}
