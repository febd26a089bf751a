import { jobE2e } from './job.e2e.ts';
import { jobMemory } from './job.memory.ts';
import { jobScale } from './job.scale.ts';
import type { Row } from './row.ts';

/** In the order in which they are measured: what wants an idle system first, what leaves most behind last. */
export const rows: readonly Row[] = [jobE2e, jobScale, jobMemory];
