import { MAX_DRIFT_PATHS, type JsonObject } from '@muster/contracts';
import { differenceOf, isEmpty, pathsOf } from '../devices/difference.js';

/** Where a device stands to what is desired of it. `paths`: what it lost, if it drifted. */
export interface Convergence {
  converged: boolean;
  drifted: boolean;
  paths: string[];
}

/** Whether something is desired and the device reports all of it. */
export const isConverged = (desired: JsonObject, reported: JsonObject): boolean =>
  !isEmpty(desired) && isEmpty(differenceOf(desired, reported));

/** What a new reported state comes to: a device that had all that is desired, and lost some of it, has drifted until it has all again. */
export function convergenceAfter(
  before: Pick<Convergence, 'converged' | 'drifted'>,
  desired: JsonObject,
  reported: JsonObject,
): Convergence {
  const difference = differenceOf(desired, reported);
  const converged = !isEmpty(desired) && isEmpty(difference);
  const drifted = !converged && (before.converged || before.drifted);
  return { converged, drifted, paths: drifted ? pathsOf(difference, MAX_DRIFT_PATHS) : [] };
}
