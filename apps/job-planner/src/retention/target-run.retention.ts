import { CONFIG, LOGGER, PartRetention, type Logger, type ServiceConfig } from '@muster/service';
import { Inject, Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';

/** SQL: the stage runs that have ended and still have their target runs, as the index on them says it; those that never began have none. */
export const FINISHED_STAGE_RUNS = `target_runs_deleted_at IS NULL AND from_state <> 'pending'
  AND state IN ('success', 'failure', 'cancelled', 'timeout', 'invalid')`;

/** Deletes the target runs of stage runs that ended long ago, or whose runs were deleted by their users. */
@Injectable()
export class TargetRunRetention extends PartRetention {
  constructor(dataSource: DataSource, @Inject(CONFIG) config: ServiceConfig, @Inject(LOGGER) logger: Logger) {
    const stageRuns = {
      table: 'stage_run',
      endedAt: 'state_at',
      finished: FINISHED_STAGE_RUNS,
      giveUp: 'target_runs_deleted_at = now()',
      parts: [
        { table: 'target_run', order: 'stage_device_id, step' },
        { table: 'stage_device', order: 'id' },
      ],
      removals: 'stage_run_removal',
      key: 'stage_run_id',
    };
    super(stageRuns, dataSource, config, logger);
  }
}
