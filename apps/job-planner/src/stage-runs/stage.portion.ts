import { BATCH_SIZE } from '@muster/contracts';

/** How many target runs a step of a stage moves at most, where it takes more than one device. */
const MOST_TARGET_RUNS = 2_000;

/** How many devices of a stage with so many operations a step may take: each may bring all of its target runs. */
export const devicesAtOnce = (operations: number): number =>
  Math.max(1, Math.min(BATCH_SIZE, Math.floor(MOST_TARGET_RUNS / operations)));
