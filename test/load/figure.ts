import type { RowName } from './options.ts';

/** What a value is compared with. */
export interface Reference {
  what: string;
  value: number;
  unit: string;
}

/** The ratio that a row should reach: at least, or at most. */
export type Target = { atLeast: number; later?: number } | { atMost: number };

/** One measured value. A row has one or more. */
export interface Figure {
  /** Tells the figures of one row from each other, e.g. `p99`. */
  part?: string;
  value: number;
  unit: string;
  reference?: Reference;
  /** What the target speaks about: value ÷ reference, or the value itself where there is no reference. */
  ratio?: number;
  target?: Target;
}

/** A figure that is told as a part or a multiple of its reference. */
export const compared = (figure: Omit<Figure, 'ratio'> & { reference: Reference }): Figure => ({
  ...figure,
  ratio: figure.value / figure.reference.value,
});

/** What a row came to: figures, with all that was measured on the way; or why this system cannot tell; or why it failed. */
export type RowResult =
  | { row: RowName; figures: Figure[]; notes: string[]; details: object }
  | { row: RowName; unmeasured: string }
  | { row: RowName; failed: string };

/** This system does not tell what a row needs; no fault of what is measured. */
export class NotMeasured extends Error {
  override readonly name = 'NotMeasured';
}

/** Whether a figure is where its target wants it; undefined without a target. */
export function isMet({ ratio, target }: Figure): boolean | undefined {
  if (!target || ratio === undefined) return undefined;
  return 'atLeast' in target ? ratio >= target.atLeast : ratio <= target.atMost;
}
