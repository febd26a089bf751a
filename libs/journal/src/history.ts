/** SQL: a time as ISO 8601 in UTC, to the microsecond as it is kept: a page that begins after one of fewer digits would begin with it again. */
export const exactTime = (time: string): string =>
  `to_char(${time} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')`;

/**
 * SQL: the id of a state that an entity was in, from the entity's id and which in its history it was, from 1. It is the same at each reading,
 * and of states that were entered at one time the later has the greater.
 */
export const entryId = (id: string, place: string): string =>
  `(left(md5(${id}::text), 28) || lpad(to_hex(${place}), 4, '0'))::uuid`;
