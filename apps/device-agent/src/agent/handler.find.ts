import { accessSync, constants, readdirSync, statSync } from 'node:fs';
import { join, parse } from 'node:path';

/** A command's name is also a file's name: nothing in it may lead out of the folder. */
const COMMAND_NAME = /^[A-Za-z0-9_-]+$/;

/**
 * The executable in `dir` that handles `command`: the file of that very name, else the first by name that has it before
 * its extension (`node_upgrade.mjs`, `node_upgrade.sh`).
 */
export function findHandler(dir: string, command: string): string | undefined {
  if (!COMMAND_NAME.test(command)) return undefined;
  const candidates = readdirSync(dir).filter((name) => parse(name).name === command);
  return candidates
    .sort((a, b) => a.length - b.length || (a < b ? -1 : 1))
    .map((name) => join(dir, name))
    .find(isExecutable);
}

/** The commands that `dir` has a handler for. */
export function listHandlers(dir: string): string[] {
  const names = readdirSync(dir).map((name) => parse(name).name);
  return [...new Set(names)].filter((name) => findHandler(dir, name) !== undefined).sort();
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return statSync(file).isFile();
  } catch {
    return false;
  }
}
