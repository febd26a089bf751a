import { isObject, type JsonObject } from '@muster/contracts';

/** A change, as a merge patch, of one value that `wanted` sets; undefined if it sets none. */
export function driftFrom(wanted: JsonObject): JsonObject | undefined {
  for (const [key, value] of Object.entries(wanted)) {
    const changed = isObject(value) ? driftFrom(value) : otherThan(value);
    if (changed !== undefined) return { [key]: changed };
  }
  return undefined;
}

function otherThan(value: unknown): unknown {
  // null has removed the key.
  if (value === null) return undefined;
  if (typeof value === 'boolean') return !value;
  if (typeof value === 'number') return value === 0 ? 1 : -value;
  return value === 'drifted' ? 'drifted again' : 'drifted';
}
