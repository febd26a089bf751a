import type { BenchStack } from '../bench.stack.ts';
import type { Figure } from '../figure.ts';
import type { RowName } from '../options.ts';

/** What a row found out. `notes`: lines below the table; `details`: everything, for the JSON file. */
export interface Measured {
  figures: Figure[];
  notes?: string[];
  details: object;
}

/** One row of the table. */
export interface Row {
  name: RowName;
  /** Measures what the row is compared with, where the fleet would disturb that: called before there is one. */
  prepare?(bench: BenchStack): Promise<void>;
  /** @throws with the reason why it cannot be measured. */
  measure(bench: BenchStack): Promise<Measured>;
}
