import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { messageOf, StackError } from './errors.js';

/** Where everything of a stack lies. */
export interface DataFolder {
  lock: string;
  secrets: string;
  stack: string;
  ports: string;
  postgres: string;
  nats: string;
  /** What opens the bus: a file per user. */
  creds: string;
  logs: string;
  /** A folder per agent, for what it must not forget. */
  agents: string;
  /** A folder per agent, for the site that it serves. */
  sites: string;
  /** The simulated nodes, as lines for the fleet. */
  fleet: string;
}

/**
 * Makes the folder when it is missing.
 * @throws StackError when that cannot be.
 */
export async function openDataFolder(path: string): Promise<DataFolder> {
  const folder = {
    lock: join(path, 'stack.lock'),
    secrets: join(path, 'secrets.json'),
    stack: join(path, 'stack.json'),
    ports: join(path, 'ports.json'),
    postgres: join(path, 'postgres'),
    nats: join(path, 'nats'),
    creds: join(path, 'creds'),
    logs: join(path, 'logs'),
    agents: join(path, 'agents'),
    sites: join(path, 'sites'),
    fleet: join(path, 'fleet.ndjson'),
  };
  try {
    for (const each of [folder.logs, folder.agents, folder.sites]) await mkdir(each, { recursive: true });
    await mkdir(folder.creds, { recursive: true, mode: 0o700 });
  } catch (error) {
    throw new StackError(`MUSTER_DATA_DIR: ${messageOf(error)}`);
  }
  return folder;
}
