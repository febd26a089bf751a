#!/usr/bin/env node
// Upgrades the node: <MUSTER_SITE_DIR>/version holds the version that is installed. Upgrading to that version again,
// or to none in particular, leaves it as it is.
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { progress, replaceFile, runHandler, siteFolder } from './lib/handler.mjs';

const FIRST_VERSION = '1.0.0';

await runHandler(({ args }) => {
  const site = siteFolder();
  const file = join(site, 'version');
  mkdirSync(site, { recursive: true });
  const before = existsSync(file) ? readFileSync(file, 'utf8').trim() : FIRST_VERSION;
  const after = args.version ?? before;
  if (typeof after !== 'string' || !/^[\w.+-]{1,64}$/.test(after)) {
    throw new Error('args.version: must be up to 64 letters, digits, . + - _');
  }
  progress(50);
  replaceFile(file, `${after}\n`);
  progress(100);
  return { before, after, reported: { version: after } };
});
