import type { DataSource } from 'typeorm';
import type { SqlCondition } from './device.query.js';

/** `next` is the id to go on after, null at the end. */
export interface Page<Row> {
  rows: Row[];
  next: string | null;
}

/** A page as SQL, with one row more than its limit, to know whether there is more. `order`: the column that it is ordered by. */
export interface PageSql extends SqlCondition {
  order: 'name' | 'id';
}

/** @param count how many rows there are for the page, one more than its limit at the most. */
export function toPage<Row extends { id: string }>(found: Row[], limit: number, count: number): Page<Row> {
  const rows = found.slice(0, limit);
  return { rows, next: rows.length < count ? rows.at(-1)!.id : null };
}

/** The page as far as it takes at most `maxBytes` as JSON, so that it may be shorter than its limit; it has at least one row. */
export async function pageWithin<Row extends { id: string }>(
  dataSource: DataSource,
  { sql, parameters, order }: PageSql,
  limit: number,
  maxBytes: number,
): Promise<Page<Row>> {
  const rows = await dataSource.query<(Row & { found: number })[]>(
    `SELECT * FROM (
       SELECT p.*, row_number() OVER in_order AS place, (count(*) OVER ())::int AS found,
              sum(octet_length(to_jsonb(p)::text)) OVER in_order AS bytes
       FROM (${sql}) p WINDOW in_order AS (ORDER BY ${order})
     ) sized WHERE bytes <= $${parameters.length + 1} OR place = 1 ORDER BY ${order}`,
    [...parameters, maxBytes],
  );
  return toPage(rows, limit, rows[0]?.found ?? 0);
}
