import type { KnownCommand } from '../device/command.decision.js';

/**
 * One command as a simulated device remembers it. `code`: of a failure. `reports`: its answer goes with a report; one
 * who has changed nothing, or has drifted since, has nothing to report. `before`: what its evidence says was before. `timer`: ends
 * the execution when it is due, while it runs. Every field is always there: objects that gain and lose fields take
 * several times the memory.
 */
export interface Execution extends KnownCommand {
  commandId: string;
  code: 'simulated' | 'cancelled' | 'unknown_deployment' | undefined;
  reports: boolean;
  before: string | undefined;
  timer: NodeJS.Timeout | undefined;
}

/** The server repeats a command only until the device has answered, so the last few are enough. */
const REMEMBERED = 8;

/** An execution that begins. */
export const newExecution = (commandId: string, fence: number): Execution => ({
  commandId,
  fence,
  state: 'running',
  code: undefined,
  reports: false,
  before: undefined,
  timer: undefined,
});

/** The commands that one device has executed lately; those that run are never forgotten. */
export class DeviceMemory {
  readonly #executions: Execution[] = [];

  recall(commandId: string): Execution | undefined {
    return this.#executions.find((one) => one.commandId === commandId);
  }

  /** Remembers an execution in place of an earlier one of the same command. Answers whether there was one. */
  remember(execution: Execution): boolean {
    const earlier = this.#executions.findIndex((one) => one.commandId === execution.commandId);
    if (earlier >= 0) this.#executions.splice(earlier, 1);
    this.#executions.push(execution);
    if (this.#executions.length > REMEMBERED) {
      const oldest = this.#executions.findIndex((one) => one.state !== 'running');
      if (oldest >= 0) this.#executions.splice(oldest, 1);
    }
    return earlier >= 0;
  }

  /** Forgets what runs: the end of the simulation. */
  stop(): void {
    for (const { timer } of this.#executions) clearTimeout(timer);
  }
}
