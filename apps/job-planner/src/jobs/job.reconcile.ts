import { commandWork } from '@muster/contracts';
import { Journal } from '@muster/journal';
import { Injectable } from '@nestjs/common';
import { JobTaskStore } from '../tasks/job-task.store.js';
import { requestHead, requestItem } from './job.ask.js';
import { FIRST_ASK_SECONDS, JobStore, type JobKey } from './job.store.js';

const MOST_SECONDS = 3_600;
const NIL = '00000000-0000-0000-0000-000000000000';

/**
 * Asks again for the commands of tasks that have been in flight for long without a word. Asking twice changes nothing, and for a command that
 * has ended the outcome comes again: so a work batch that the bus lost, either way, costs time and never a hang.
 */
@Injectable()
export class JobReconcile {
  constructor(
    private readonly journal: Journal,
    private readonly jobs: JobStore,
    private readonly tasks: JobTaskStore,
  ) {}

  /** Does nothing before the job's `ask_at`. */
  async askAgain(key: JobKey): Promise<void> {
    for (let after: string | undefined = NIL; after;) after = await this.askPage(key, after);
  }

  private askPage(key: JobKey, after: string): Promise<string | undefined> {
    return this.journal.transaction(key.project_id, async (tx) => {
      const job = await this.jobs.lock(tx, key.id);
      if (!job || job.in_flight === 0 || job.ask_at > new Date()) return undefined;
      const silent = await this.tasks.silent(tx, job.id, waitSeconds(job.asks), after);
      const trace = job.traceparent ?? undefined;
      tx.work(commandWork.request, requestHead(job), silent.map(requestItem), trace);
      const stopping = silent.filter((task) => task.state === 'Stopping').map(({ command_id }) => ({ command_id }));
      tx.work(commandWork.cancel, { request_id: job.id, reason: job.reason }, stopping, trace);
      const last = silent.at(-1)?.id;
      if (!last) await this.jobs.saveAsk(tx, job.id, waitSeconds(job.asks + 1), job.asks + 1);
      return last;
    });
  }
}

/** Seconds of silence before the next asking: doubling from a minute to an hour. */
export const waitSeconds = (asks: number) => Math.min(FIRST_ASK_SECONDS * 2 ** Math.min(asks, 16), MOST_SECONDS);
