import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { replaceFile } from './handler.mjs';

const FIRST_VERSION = '1.0.0';
const VERSION = /^[\w.+-]{1,64}$/;

/**
 * Installs a version of the node in <site>/version, or leaves it as it is if `wanted` is undefined.
 * Answers the versions `{before, after}`.
 */
export function installVersion(site, wanted) {
  const file = join(site, 'version');
  const before = existsSync(file) ? readFileSync(file, 'utf8').trim() : FIRST_VERSION;
  const after = wanted ?? before;
  if (typeof after !== 'string' || !VERSION.test(after)) {
    throw new Error('version: must be up to 64 letters, digits, . + - _');
  }
  mkdirSync(site, { recursive: true });
  replaceFile(file, `${after}\n`);
  return { before, after };
}
