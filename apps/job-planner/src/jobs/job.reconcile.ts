import { BATCH_SIZE, commandWork } from '@muster/contracts';
import { Journal } from '@muster/journal';
import { Injectable } from '@nestjs/common';
import { JobTaskStore } from '../tasks/job-task.store.js';
import { cancelHead, cancelItem, requestHead, requestItem } from './job.ask.js';
import { JobStore, type JobKey } from './job.store.js';

/**
 * Asks again for the commands of tasks that have been in flight for long without a word, or for their cancel. Asking twice changes nothing, and
 * for a command that has ended the outcome comes again: so a work batch that the bus lost, either way, costs time and never a hang.
 */
@Injectable()
export class JobReconcile {
  constructor(
    private readonly journal: Journal,
    private readonly jobs: JobStore,
    private readonly tasks: JobTaskStore,
  ) {}

  async askAgain(key: JobKey): Promise<void> {
    for (let more = true; more;) more = await this.askPage(key);
  }

  private askPage(key: JobKey): Promise<boolean> {
    return this.journal.transaction(key.project_id, async (tx) => {
      const job = await this.jobs.lock(tx, key.id);
      if (!job || job.in_flight === 0) return false;
      const silent = await this.tasks.claimSilent(tx, job.id);
      const trace = job.traceparent ?? undefined;
      const running = silent.filter((task) => task.state === 'Running');
      const stopping = silent.filter((task) => task.state === 'Stopping');
      tx.work(commandWork.request, requestHead(job), running.map(requestItem), trace);
      tx.work(commandWork.cancel, cancelHead(job), stopping.map(cancelItem), trace);
      return silent.length === BATCH_SIZE;
    });
  }
}
