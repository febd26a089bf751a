import { CONFIG, LOGGER, PartRetention, type Logger, type ServiceConfig } from '@muster/service';
import { Inject, Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';

/** SQL: the jobs that have ended and still have their tasks, as the index on them says it; a job that is paused has not ended. */
export const FINISHED = `tasks_deleted_at IS NULL
  AND (state IN ('Successful', 'Partially_successful', 'Failed', 'Timed_out') OR state = 'Stopped' AND cancelled)`;

/** Deletes the tasks of jobs that ended long ago or were deleted by their users. */
@Injectable()
export class TaskRetention extends PartRetention {
  constructor(dataSource: DataSource, @Inject(CONFIG) config: ServiceConfig, @Inject(LOGGER) logger: Logger) {
    const jobs = {
      table: 'job',
      endedAt: 'state_at',
      finished: FINISHED,
      giveUp: 'tasks_deleted_at = now(), target_ids = NULL',
      parts: [{ table: 'job_task', order: 'id' }],
      removals: 'task_removal',
      key: 'job_id',
    };
    super(jobs, dataSource, config, logger);
  }
}
