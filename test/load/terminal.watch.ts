import type { Subscription } from 'nats';
import type { BenchStack } from './bench.stack.ts';

const TERMINAL = {
  job: { states: ['Successful', 'Partially_successful', 'Failed', 'Stopped', 'Timed_out'], key: 'id' },
  operation: { states: ['SUCCESS', 'FAILURE', 'CANCELLED', 'TIMEOUT'], key: 'id' },
  'pipeline-run': { states: ['success', 'failure', 'cancelled', 'timeout', 'invalid'], key: 'id' },
  command: { states: ['SUCCESS', 'FAILURE', 'TIMEOUT', 'CANCELLED'], key: 'request_id' },
} as const;

/** What ends. */
export type Watched = keyof typeof TERMINAL;

/**
 * Waits for the ends of jobs, operations or runs, or of the commands of a request, by their events, as another system would. Each is named by its id, which for the
 * commands of a job is the job's.
 */
export class TerminalWatch {
  private readonly at = new Map<string, number>();
  private readonly waiting = new Map<string, () => void>();
  private subscription: Subscription | undefined;

  static async start(bench: BenchStack, entity: Watched): Promise<TerminalWatch> {
    const watch = new TerminalWatch();
    const connection = await bench.stack.events();
    const { states, key } = TERMINAL[entity];
    watch.subscription = connection.subscribe(`muster.evt.${bench.file.project}.${entity}.*.*`, {
      callback: (error, message) => {
        const now = performance.now();
        if (error || !(states as readonly string[]).includes(message.subject.split('.')[4]!)) return;
        const { data } = message.json<{ data: Record<string, string> }>();
        watch.at.set(data[key]!, now);
        watch.waiting.get(data[key]!)?.();
      },
    });
    await connection.flush();
    return watch;
  }

  /** When the event came, as `performance.now()` says. @throws when it does not come within `timeout` ms. */
  async of(id: string, timeout: number): Promise<number> {
    if (!this.at.has(id)) {
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      const limit = setTimeout(
        () => reject(new Error(`no terminal event of ${id} within ${timeout / 1000} s`)),
        timeout,
      );
      this.waiting.set(id, resolve);
      await promise.finally(() => clearTimeout(limit));
      this.waiting.delete(id);
    }
    return this.at.get(id)!;
  }

  stop(): void {
    this.subscription?.unsubscribe();
  }
}
