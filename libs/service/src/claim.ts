/** Which things a sweep takes, and for how long it leaves them to their events after that. */
export interface Claim {
  /** At most so many. */
  limit: number;
  seconds: number;
  /**
   * Takes only what has been due for so many seconds, and waits for whoever works on it: a thing that somebody always works on would never be
   * taken else. Without it, what is being worked on is passed over.
   */
  overdueBy?: number;
}

/** The rows of a table with `project_id` and `id` that a claim takes, locked; `column`: when each is due. To be read `FROM`. */
export const claimed = (table: string, column: string, { limit, overdueBy }: Claim): string =>
  `(SELECT project_id, id FROM ${table} WHERE ${column} <= now() - make_interval(secs => ${overdueBy ?? 0})
    ORDER BY ${column} LIMIT ${limit} FOR UPDATE ${overdueBy === undefined ? 'SKIP LOCKED' : ''}) AS due`;
