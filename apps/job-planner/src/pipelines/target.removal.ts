import { LOGGER, PartRemoval, type Logger } from '@muster/service';
import { Inject, Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';

/** Deletes the targets of target lists that are gone. */
@Injectable()
export class TargetRemoval extends PartRemoval {
  constructor(dataSource: DataSource, @Inject(LOGGER) logger: Logger) {
    const targets = { parts: [{ table: 'target', order: 'id' }], removals: 'target_removal', key: 'target_list_id' };
    super(targets, dataSource, logger);
  }
}
