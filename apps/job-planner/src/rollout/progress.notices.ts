import { jobProgress, stageRunProgress } from '@muster/contracts';
import type { RolloutEntity, RolloutFamilyName } from './rollout.entity.js';
import { COUNTS } from './tally.js';

/** How far apart two notices of a rollout are at least (rollout.md, "Watch"). */
const APART_MS = 1_000;

/** What tells of the progress of rollouts, by their family. */
export const PROGRESS_NOTICES: Readonly<Partial<Record<RolloutFamilyName, typeof jobProgress>>> = {
  job: jobProgress,
  'stage-run': stageRunProgress,
};

/** The columns whose change is a change of the progress. Its rate and its estimate also change by time alone, which nobody is told. */
export const SHOWN: readonly (keyof RolloutEntity)[] = [...COUNTS, 'wave', 'waits_for', 'at_rest'];

/**
 * From when on a change may be told, in epoch milliseconds. The first notice, too, comes a second after the rollout was made, so that one which is
 * over sooner tells its end alone.
 */
export const noticeTime = (
  { told, told_at, at_rest }: Pick<RolloutEntity, 'told' | 'told_at' | 'at_rest'>,
  now: number,
) => (told === 0 && at_rest ? now : told_at.getTime() + APART_MS);
