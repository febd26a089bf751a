import type { JsonObject } from './schema.js';

/**
 * The largest `attributes`, `desired` or `reported` of a device, `arguments` of an operation or `args` of a command, as JSON text in bytes: all
 * three of a device fit one message of the bus.
 */
export const MAX_DOCUMENT_BYTES = 256 * 1024;
/** The most levels of objects and arrays in one of them, itself included. */
export const MAX_DOCUMENT_LEVELS = 32;

/** Why a document is refused. */
export type DocumentFault = 'too_deep' | 'too_large';

export const DOCUMENT_FAULTS: Readonly<Record<DocumentFault, string>> = {
  too_deep: `nests deeper than ${MAX_DOCUMENT_LEVELS} levels`,
  too_large: `is larger than ${MAX_DOCUMENT_BYTES} bytes`,
};

const fits = (value: unknown, levels: number): boolean =>
  typeof value !== 'object' ||
  value === null ||
  (levels > 0 && Object.values(value).every((inner) => fits(inner, levels - 1)));

/** The limit that a document breaks, if any. The depth is looked at first: writing a deeper one as text could exhaust the stack. */
export function documentFault(document: JsonObject): DocumentFault | undefined {
  if (!fits(document, MAX_DOCUMENT_LEVELS)) return 'too_deep';
  if (Buffer.byteLength(JSON.stringify(document)) > MAX_DOCUMENT_BYTES) return 'too_large';
  return undefined;
}
