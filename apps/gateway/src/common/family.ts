import type { TSchema } from 'typebox';
import type { Refusal } from './refusal.js';

/** The dialect of one API family: what belongs to it, and how it says no. */
export interface Family {
  name: string;
  /** Whether a path (no query) belongs to it. */
  owns(path: string): boolean;
  /** What helps one whose body was over the limit. */
  tooLarge: string;
  /** Media type and JSON Schema of {@link Family.render}. */
  errorType: string;
  errorSchema: TSchema;
  render(refusal: Refusal): object;
}
