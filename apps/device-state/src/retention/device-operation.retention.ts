import { CONFIG, LOGGER, PartRetention, type Logger, type ServiceConfig } from '@muster/service';
import { Inject, Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';

/** Deletes the device operations of operations that ended long ago. */
@Injectable()
export class DeviceOperationRetention extends PartRetention {
  constructor(dataSource: DataSource, @Inject(CONFIG) config: ServiceConfig, @Inject(LOGGER) logger: Logger) {
    const operations = {
      table: 'operation',
      endedAt: 'state_at',
      finished: `devices_deleted_at IS NULL AND state IN ('SUCCESS', 'FAILURE', 'CANCELLED', 'TIMEOUT')`,
      giveUp: 'devices_deleted_at = now()',
      parts: [{ table: 'device_operation', order: 'device_id' }],
      removals: 'device_operation_removal',
      key: 'operation_id',
    };
    super(operations, dataSource, config, logger);
  }
}
