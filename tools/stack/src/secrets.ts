import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { makeKeys, type BusKeys } from '@muster/bus-auth';
import type { ServiceName } from '@muster/contracts';
import { readIfThere } from '@muster/servers';
import { StackError } from './errors.js';
import { writePrivate } from './private-file.js';

/** What only this stack knows; kept, because the data folder of Postgres opens with no other password. */
export interface Secrets {
  postgres: string;
  services: Partial<Record<ServiceName, string>>;
  token: string;
  /** What opens our own bus. */
  bus: BusKeys;
}

const make = () => randomBytes(24).toString('base64url');

const read = async (file: string): Promise<Partial<Secrets>> => {
  const text = await readIfThere(file);
  if (text === undefined) return {};
  try {
    return JSON.parse(text) as Partial<Secrets>;
  } catch {
    throw new StackError(`${file} is not JSON: restore it, or remove the whole data folder to start anew`);
  }
};

/**
 * The kept secrets, completed by new ones for whatever has none yet.
 * @param postgresFolder what the password of Postgres opens; nobody can make a new one for a folder that is there.
 * @throws StackError when the file cannot be read as JSON, or has lost that password.
 */
export async function keepSecrets(
  file: string,
  services: readonly ServiceName[],
  postgresFolder?: string,
): Promise<Secrets & { services: Record<ServiceName, string> }> {
  const kept = await read(file);
  if (!kept.postgres && postgresFolder && existsSync(join(postgresFolder, 'PG_VERSION'))) {
    throw new StackError(
      `${file} has no password for ${postgresFolder}: restore it, or remove the whole data folder to start anew`,
    );
  }
  const secrets = {
    postgres: kept.postgres ?? make(),
    services: Object.fromEntries(services.map((name) => [name, kept.services?.[name] ?? make()])) as Record<
      ServiceName,
      string
    >,
    token: kept.token ?? make(),
    bus: kept.bus ?? (await makeKeys()),
  };
  await writePrivate(file, secrets);
  return secrets;
}
