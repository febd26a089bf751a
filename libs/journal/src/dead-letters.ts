/** Runs one statement with parameters; a data source does, and so does a session of its own. */
export interface Statements {
  query(sql: string, parameters: unknown[]): Promise<unknown>;
}

/** A message that could not be sent or handled, with everything needed to publish it again. `deliveries`: 0 when it was never sent. */
export interface DeadLetter {
  subject: string;
  headers: Record<string, string>;
  payload: Uint8Array;
  reason: string;
  deliveries: number;
}

/** Keeps dead letters in the service's own schema. */
export class DeadLetterStore {
  constructor(private readonly statements: Statements) {}

  async park(letter: DeadLetter): Promise<void> {
    await this.statements.query(
      `INSERT INTO dead_letter (subject, headers, payload, reason, deliveries) VALUES ($1, $2, $3, $4, $5)`,
      [letter.subject, letter.headers, Buffer.from(letter.payload), letter.reason, letter.deliveries],
    );
  }
}
