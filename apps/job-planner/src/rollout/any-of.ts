import type { DeviceQuery } from '@muster/contracts';

/** A query takes no more than this many alternatives at once. */
const ALTERNATIVES = 32;

/** The devices that fit any of these queries, of which there is one at least. */
export function anyOf(queries: readonly DeviceQuery[]): DeviceQuery {
  if (queries.length === 1) return queries[0]!;
  if (queries.length <= ALTERNATIVES) return { or: [...queries] };
  const parts: DeviceQuery[] = [];
  for (let at = 0; at < queries.length; at += ALTERNATIVES) parts.push(anyOf(queries.slice(at, at + ALTERNATIVES)));
  return anyOf(parts);
}
