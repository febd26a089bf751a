import { CONFIG, LOGGER, PartRetention, type Logger, type ServiceConfig } from '@muster/service';
import { Inject, Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';

/** SQL: the rollouts of operations that have ended and still have their parts, as the index on them says it. */
export const FINISHED_OPERATION_ROLLOUTS = `family = 'operation' AND at_rest AND parts_deleted_at IS NULL`;

/** Deletes the parts in the rollouts of operations that ended long ago; what their devices came to is told by device-state. */
@Injectable()
export class OperationPartRetention extends PartRetention {
  constructor(dataSource: DataSource, @Inject(CONFIG) config: ServiceConfig, @Inject(LOGGER) logger: Logger) {
    const rollouts = {
      table: 'rollout',
      endedAt: 'rested_at',
      finished: FINISHED_OPERATION_ROLLOUTS,
      giveUp: 'parts_deleted_at = now()',
      parts: [{ table: 'operation_part', order: 'id' }],
      removals: 'operation_part_removal',
      key: 'operation_id',
    };
    super(rollouts, dataSource, config, logger);
  }
}
