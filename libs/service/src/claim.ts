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
export function claimed(table: string, column: string, { limit, overdueBy }: Claim): string {
  const isDue = `${column} <= now() - make_interval(secs => ${overdueBy ?? 0})`;
  const due = `SELECT project_id, id FROM ${table} WHERE ${isDue} ORDER BY ${column} LIMIT ${limit}`;
  if (overdueBy === undefined) return `(${due} FOR UPDATE SKIP LOCKED) AS due`;
  // Chosen before it is locked: one that is not due any more once its lock is there gives nothing, instead of the next one beside it.
  return `(SELECT project_id, id FROM (${due}) AS first JOIN ${table} USING (project_id, id) WHERE ${isDue} FOR UPDATE OF ${table}) AS due`;
}
