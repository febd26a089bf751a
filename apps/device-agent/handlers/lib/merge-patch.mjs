const isObject = (value) => typeof value === 'object' && value !== null && !Array.isArray(value);

/** Gives `target` with `patch` merged in (RFC 7396): null removes, objects merge, anything else replaces. */
export function mergePatch(target, patch) {
  if (!isObject(patch)) return patch;
  // A map and not an assignment: a key may be `__proto__`.
  const merged = new Map(isObject(target) ? Object.entries(target) : []);
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) merged.delete(key);
    else merged.set(key, mergePatch(merged.get(key), value));
  }
  return Object.fromEntries(merged);
}
