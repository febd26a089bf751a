import { isObject, type JsonObject } from '@muster/contracts';

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

/** Whether `reported` has all that is wanted. */
export const covers = (reported: JsonObject, wanted: JsonObject): boolean => isEmpty(differenceOf(wanted, reported));

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
