import type { JsonObject } from './schema.js';

export const isObject = (value: unknown): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

function merge(target: unknown, patch: unknown): unknown {
  if (!isObject(patch)) return patch;
  // A map and not an assignment: a key may be `__proto__`.
  const merged = new Map(isObject(target) ? Object.entries(target) : []);
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) merged.delete(key);
    else merged.set(key, merge(merged.get(key), value));
  }
  return Object.fromEntries(merged);
}

/** Gives `target` with `patch` merged in (RFC 7396: null removes, objects merge, anything else replaces); neither is changed. */
export const mergePatch = (target: JsonObject, patch: JsonObject) => merge(target, patch) as JsonObject;
