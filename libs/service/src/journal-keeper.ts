import { dropOldPartitions, ensurePartitions } from '@muster/journal';
import type { DataSource } from 'typeorm';
import type { Logger } from './logger.js';
import { Loop } from './loop.js';

const EVERY_MS = 600_000;

/** Makes the journal's partitions for the days to come and drops those that are older than it is kept. */
export function journalKeeper(dataSource: DataSource, days: number, logger: Logger): Loop {
  return new Loop(
    'journal partitions',
    EVERY_MS,
    async () => {
      const missing = await ensurePartitions(dataSource);
      if (missing.length > 0)
        logger.info({ partitions: missing }, 'coming days of the journal wait for a reader, trying again');
      const { dropped, unpublished, busy, strayRows } = await dropOldPartitions(dataSource, days);
      if (dropped.length > 0 || strayRows > 0)
        logger.info({ partitions: dropped, stray_rows: strayRows }, 'old days of the journal deleted');
      if (busy.length > 0) logger.info({ partitions: busy }, 'old days of the journal are in use, trying again');
      if (unpublished.length > 0)
        logger.warn(
          { partitions: unpublished },
          'old days of the journal are kept: they have rows that are not published',
        );
      return false;
    },
    logger,
  );
}
