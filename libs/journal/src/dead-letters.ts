import type { DataSource } from 'typeorm';

/** A message that could not be handled, with everything needed to publish it again. */
export interface DeadLetter {
  subject: string;
  headers: Record<string, string>;
  payload: Uint8Array;
  reason: string;
  deliveries: number;
}

/** Keeps dead letters in the service's own schema. */
export class DeadLetterStore {
  constructor(private readonly dataSource: DataSource) {}

  async park(letter: DeadLetter): Promise<void> {
    await this.dataSource.query(
      `INSERT INTO dead_letter (subject, headers, payload, reason, deliveries) VALUES ($1, $2, $3, $4, $5)`,
      [letter.subject, letter.headers, Buffer.from(letter.payload), letter.reason, letter.deliveries],
    );
  }
}
