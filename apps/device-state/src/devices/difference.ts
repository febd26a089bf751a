import { isObject, type JsonObject } from '@muster/contracts';

/** Most paths that a reason lists. */
const LISTED = 10;

export interface DifferenceOptions {
  /** Whether the difference also names what `reported` does not have yet; true unless told. */
  provision?: boolean;
}

/**
 * The merge patch (RFC 7396) that brings `reported` to `desired`; empty where nothing is missing. Objects are compared by their keys, and keys
 * that `desired` does not name do not matter; arrays and everything else are compared whole. A null in `desired` means that there is nothing.
 */
export function differenceOf(
  desired: JsonObject,
  reported: JsonObject,
  { provision = true }: DifferenceOptions = {},
): JsonObject {
  // Entries and not assignments: a key may be `__proto__`.
  const different: [string, unknown][] = [];
  for (const [key, wanted] of Object.entries(desired)) {
    const present = Object.hasOwn(reported, key) ? (reported[key] ?? null) : null;
    if (wanted === null || present === null) {
      if (wanted !== present && (provision || wanted === null)) different.push([key, wanted]);
    } else if (isObject(wanted) && isObject(present)) {
      const inner = differenceOf(wanted, present, { provision });
      if (!isEmpty(inner)) different.push([key, inner]);
    } else if (!isSame(wanted, present)) {
      different.push([key, wanted]);
    }
  }
  return Object.fromEntries(different);
}

export const isEmpty = (document: JsonObject): boolean => Object.keys(document).length === 0;

/** The dotted paths of a merge patch that say something, in its order; at most `limit`. */
export function pathsOf(patch: JsonObject, limit = Infinity, at = ''): string[] {
  const paths: string[] = [];
  for (const [key, value] of Object.entries(patch)) {
    if (paths.length >= limit) break;
    const path = at + key;
    if (isObject(value) && !isEmpty(value)) paths.push(...pathsOf(value, limit - paths.length, `${path}.`));
    else paths.push(path);
  }
  return paths;
}

/** The paths of what `reported` does not have at all, and would have to be provisioned with. */
export function unprovisioned(desired: JsonObject, reported: JsonObject): string[] {
  const present = new Set(pathsOf(differenceOf(desired, reported, { provision: false })));
  return pathsOf(differenceOf(desired, reported)).filter((path) => !present.has(path));
}

/** Paths as a reason names them: the first ones, and how many more there are. */
export const listed = (paths: readonly string[]): string =>
  paths.slice(0, LISTED).join(', ') + (paths.length > LISTED ? ` and ${paths.length - LISTED} more` : '');

function isSame(a: unknown, b: unknown): boolean {
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return a === b;
  if (Array.isArray(a) !== Array.isArray(b)) return false;
  const keys = Object.keys(a);
  const others = new Map(Object.entries(b));
  return (
    keys.length === others.size &&
    Object.entries(a).every(([key, value]) => others.has(key) && isSame(value, others.get(key)))
  );
}
