import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { UsageError } from '../process/usage.js';

/** The part of a running stack's `stack.json` that a fleet needs. */
export interface StackFile {
  gateway: { url: string };
  nats: { url: string; fleetCreds: string | null; ca: string | null };
  token: string;
  project: string;
}

/** What runs on this machine, as the data folder (`MUSTER_DATA_DIR`, else `.muster`) says it; undefined: nothing does. */
export function readStackFile(env: NodeJS.ProcessEnv): StackFile | undefined {
  const file = stackFile(env);
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw new UsageError(`${file}: ${(error as Error).message}`);
  }
  try {
    return JSON.parse(text) as StackFile;
  } catch {
    throw new UsageError(`${file}: is not JSON`);
  }
}

/** Where a stack says what runs. */
export const stackFile = (env: NodeJS.ProcessEnv): string =>
  resolve(join(env['MUSTER_DATA_DIR'] ?? '.muster', 'stack.json'));
