#!/usr/bin/env node
// Makes the device what is wanted of it: `args.desired` is the difference, a merge patch (RFC 7396), and
// <MUSTER_SITE_DIR>/state.json the document that it changes, for the programs of the device to read. What a key of the
// document means for the device, an executable converge.d/<key> may know: it gets the wanted value on its stdin (null:
// the key is to go) and applies it before the document says so. It may be run again with the same value.
import { spawnSync } from 'node:child_process';
import { accessSync, constants, existsSync, mkdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Failure, progress, replaceFile, runHandler, siteFolder } from './lib/handler.mjs';
import { mergePatch } from './lib/merge-patch.mjs';

/** What the device finds out and says of itself: only an executable can change it, and the document does not hold it. */
const FACTS = ['os', 'handlers', 'version', 'deployments'];
const HOOKS = join(dirname(fileURLToPath(import.meta.url)), 'converge.d');
const HOOK_NAME = /^[A-Za-z0-9_-]+$/;

await runHandler(({ args }) => {
  const site = siteFolder();
  const { desired = {}, provision = false } = args;
  const applied = new Map();
  try {
    const keys = Object.keys(desired);
    for (const [index, key] of keys.entries()) {
      apply(site, { [key]: desired[key] }, key, provision);
      applied.set(key, desired[key]);
      progress(Math.round((100 * (index + 1)) / keys.length));
    }
  } catch (error) {
    // Half done is not undone: what has changed is reported even so.
    throw new Failure('not_converged', error.message, { reported: Object.fromEntries(applied) });
  }
  return { keys: [...applied.keys()], reported: Object.fromEntries(applied) };
});

/** Brings one key to what is wanted. @throws naming the key */
function apply(site, patch, key, provision) {
  const file = join(site, 'state.json');
  const state = existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : {};
  const wanted = mergePatch(state, patch);
  const hook = HOOK_NAME.test(key) ? join(HOOKS, key) : undefined;
  if (hook && isExecutable(hook)) run(hook, key, wanted[key] ?? null, provision);
  else if (FACTS.includes(key)) throw new Error(`${key}: cannot be changed without an executable converge.d/${key}`);
  if (FACTS.includes(key)) return;
  mkdirSync(site, { recursive: true });
  replaceFile(file, JSON.stringify(wanted, null, 2));
}

function run(hook, key, value, provision) {
  const env = { ...process.env, MUSTER_PROVISION: String(provision) };
  const input = JSON.stringify(value);
  const { status, signal, stderr, error } = spawnSync(hook, [], { input, env, encoding: 'utf8' });
  if (status === 0) return;
  throw new Error(`${key}: ${stderr?.trim() || error?.message || `ended with ${signal ?? status}`}`);
}

function isExecutable(file) {
  try {
    accessSync(file, constants.X_OK);
    return statSync(file).isFile();
  } catch {
    return false;
  }
}
