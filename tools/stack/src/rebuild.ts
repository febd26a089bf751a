import { entities, SERVICES, type ServiceName } from '@muster/contracts';
import { provision } from '@muster/persistence';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { busEnvironment, busUsers } from './bus-users.js';
import { openDataFolder } from './data-folder.js';
import { messageOf, StackError, UsageError } from './errors.js';
import { keepSecrets } from './secrets.js';
import type { StackDocument } from './stack-file.js';
import { serviceScript } from './workspace.js';

/**
 * `npm run rebuild -- [service…] [--since YYYY-MM-DD]`: brings the event streams of the running stack back, one service after the other.
 * The data folder says where it runs.
 */
async function run(args: readonly string[], env: NodeJS.ProcessEnv): Promise<number> {
  const { services, since } = read(args);
  const dataDir = resolve(env.MUSTER_DATA_DIR || '.muster');
  const folder = await openDataFolder(dataDir);
  const stack = await readFile(folder.stack, 'utf8').then(
    (text) => JSON.parse(text) as StackDocument,
    () => {
      throw new StackError(`no stack runs in ${dataDir}: start it with npm start`);
    },
  );
  const secrets = await keepSecrets(folder.secrets, SERVICES);
  const urls = await provision(
    stack.postgres.url,
    services.map((name) => ({ name, password: secrets.services[name] })),
  );
  let failed = 0;
  for (const service of services) {
    const child = spawn(
      process.execPath,
      [serviceScript(service), 'rebuild', ...(since === undefined ? [] : ['--since', since])],
      {
        stdio: ['ignore', 'inherit', 'inherit'],
        env: {
          ...env,
          MUSTER_DATABASE_URL: urls[service],
          MUSTER_NATS_URL: stack.nats.url,
          ...(stack.nats.creds === null ? {} : busEnvironment(busUsers(folder.creds), service)),
          ...(stack.nats.ca === null ? {} : { MUSTER_NATS_CA: stack.nats.ca }),
        },
      },
    );
    const [code] = (await once(child, 'exit')) as [number | null];
    if (code !== 0) failed = code ?? 1;
  }
  return failed;
}

function read(args: readonly string[]): { services: ServiceName[]; since: string | undefined } {
  const publishing = SERVICES.filter((name) => entities.some(({ service }) => service === name));
  try {
    const { values, positionals } = parseArgs({
      args: [...args],
      options: { since: { type: 'string' } },
      allowPositionals: true,
    });
    const unknown = positionals.find((name) => !publishing.some((service) => service === name));
    if (unknown !== undefined)
      throw new UsageError(`${unknown} is no service with events: name some of ${publishing.join(', ')}`);
    const services = publishing.filter((name) => positionals.length === 0 || positionals.includes(name));
    return { services, since: values.since };
  } catch (error) {
    throw new UsageError(messageOf(error));
  }
}

try {
  process.exitCode = await run(process.argv.slice(2), process.env);
} catch (error) {
  process.stderr.write(`${messageOf(error)}\n`);
  process.exitCode = error instanceof UsageError ? 2 : 1;
}
