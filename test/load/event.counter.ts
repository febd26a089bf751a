import { eventStream } from '@muster/contracts';
import { Worker } from 'node:worker_threads';
import type { BenchStack } from './bench.stack.ts';
import { ask } from './workers/ask.ts';

/** Events of the transitions of jobs, tasks and commands. `delivered` counts repetitions, `unique` does not. */
export interface EventCount {
  delivered: number;
  unique: number;
}

const STREAMS = [eventStream('job-planner'), eventStream('command-dispatcher')];
const CATCH_UP_MS = 60_000;

/** A subscriber outside of the product that counts these by their ids, in a thread of its own. */
export class EventCounter {
  private readonly worker: Worker;
  private readonly bench: BenchStack;

  private constructor(worker: Worker, bench: BenchStack) {
    this.worker = worker;
    this.bench = bench;
  }

  /** Counts what is stored from now on. */
  static async start(bench: BenchStack): Promise<EventCounter> {
    const counter = new EventCounter(new Worker(new URL('./workers/count-events.ts', import.meta.url)), bench);
    await ask(counter.worker, { ...bench.file.nats, from: await counter.sequences() }, CATCH_UP_MS);
    return counter;
  }

  /** What was counted once everything that is stored now has come. */
  async finish(): Promise<EventCount> {
    return ask<EventCount>(this.worker, { until: await this.sequences() }, CATCH_UP_MS);
  }

  async stop(): Promise<void> {
    await this.worker.terminate();
  }

  private async sequences(): Promise<Record<string, number>> {
    const manager = await (await this.bench.stack.events()).jetstreamManager();
    const last = STREAMS.map(async (stream) => [stream, (await manager.streams.info(stream)).state.last_seq] as const);
    return Object.fromEntries(await Promise.all(last));
  }
}
