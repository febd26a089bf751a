import { isObject, MAX_DRIFT_PATHS, type JsonObject } from '@muster/contracts';
import { differenceOf, isEmpty } from '../devices/difference.js';

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

/** The dotted paths of a merge patch that say something, in its order; at most `limit`. */
export function pathsOf(patch: JsonObject, limit: number, at = ''): string[] {
  const paths: string[] = [];
  for (const [key, value] of Object.entries(patch)) {
    if (paths.length >= limit) break;
    const path = at + key;
    if (isObject(value) && !isEmpty(value)) paths.push(...pathsOf(value, limit - paths.length, `${path}.`));
    else paths.push(path);
  }
  return paths;
}
