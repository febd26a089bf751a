import { readFileSync } from 'node:fs';

/** The product's version, as its documents name it. */
export const VERSION = (
  JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as { version: string }
).version;
