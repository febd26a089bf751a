import { renameSync, writeFileSync } from 'node:fs';
import { text } from 'node:stream/consumers';

/** A failure that has a code of its own, and perhaps evidence of what was done all the same. */
export class Failure extends Error {
  constructor(code, reason, evidence) {
    super(reason);
    this.code = code;
    this.evidence = evidence;
  }
}

/**
 * Runs a handler: `handle` gets the command message from stdin and returns the evidence, which goes to stdout as the
 * last line. What it throws becomes the reason of the failure.
 */
export async function runHandler(handle) {
  try {
    const evidence = await handle(JSON.parse(await text(process.stdin)));
    if (evidence !== undefined) console.log(JSON.stringify(evidence));
  } catch (error) {
    if (error instanceof Failure) {
      console.log(`code ${error.code}`);
      if (error.evidence) console.log(JSON.stringify(error.evidence));
    }
    console.error(error instanceof Error ? error.message : String(error));
    process.exitCode = 1;
  }
}

/** Tells how far the command has come, in percent. */
export const progress = (percent) => console.log(`progress ${percent}`);

/** The folder that `MUSTER_SITE_DIR` names: the site that this device serves. */
export function siteFolder() {
  const folder = process.env.MUSTER_SITE_DIR;
  if (!folder) throw new Error('MUSTER_SITE_DIR: the folder of the site is not set');
  return folder;
}

/** Writes a file so that a reader finds the old one or the new one, never a part. */
export function replaceFile(path, content) {
  const unfinished = `${path}.${process.pid}`;
  writeFileSync(unfinished, content);
  renameSync(unfinished, path);
}
