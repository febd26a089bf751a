import { ProjectId, Uuid, validate } from '@muster/contracts';
import { statSync } from 'node:fs';
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { required, UsageError } from '../process/usage.js';

/** What an agent is told; every option has an environment variable, and the option wins. */
export interface AgentOptions {
  /** Project slug. `--project`, `MUSTER_PROJECT` */
  project: string;
  /** The device's id. `--device`, `MUSTER_DEVICE` */
  device: string;
  /** `--nats`, `MUSTER_NATS_URL`; with `tls://` it is never spoken to in the clear. */
  nats: string;
  /** Path of a NATS credentials file. `--creds`, `MUSTER_CREDS` */
  creds?: string;
  /** Path of the certificates of authority (PEM) that vouch for the bus. `--ca`, `MUSTER_NATS_CA` */
  ca?: string;
  /** Folder of the executables that commands run. `--handlers`, `MUSTER_HANDLERS` */
  handlers: string;
  /** Folder where the agent keeps what it must not forget; made when missing. `--state`, `MUSTER_STATE` */
  state: string;
  /** What to take for the id of the present boot, where the kernel's is not that of the device, as in a container. `--boot-id`, `MUSTER_BOOT_ID` */
  bootId?: string;
}

const VARIABLES = {
  project: 'MUSTER_PROJECT',
  device: 'MUSTER_DEVICE',
  nats: 'MUSTER_NATS_URL',
  creds: 'MUSTER_CREDS',
  ca: 'MUSTER_NATS_CA',
  handlers: 'MUSTER_HANDLERS',
  state: 'MUSTER_STATE',
  'boot-id': 'MUSTER_BOOT_ID',
} as const;

/** @throws UsageError naming the option that is missing or cannot be used. */
export function readAgentOptions(args: string[], env: NodeJS.ProcessEnv): AgentOptions {
  const given = parse(args);
  const value = (name: keyof typeof VARIABLES) => given[name] ?? env[VARIABLES[name]];
  const need = (name: keyof typeof VARIABLES) => required(value(name), `--${name} (or ${VARIABLES[name]})`);

  const creds = value('creds');
  const bootId = value('boot-id');
  const ca = value('ca');
  const options: AgentOptions = {
    project: need('project'),
    device: need('device'),
    nats: need('nats'),
    ...(creds !== undefined && { creds: resolve(creds) }),
    ...(ca !== undefined && { ca: resolve(ca) }),
    handlers: resolve(need('handlers')),
    state: resolve(need('state')),
    ...(bootId !== undefined && { bootId }),
  };
  if (validate(ProjectId, options.project).length > 0) {
    throw new UsageError('--project: must be 1 to 40 of a-z, 0-9, -');
  }
  if (validate(Uuid, options.device).length > 0) throw new UsageError("--device: must be the device's id, a UUID");
  if (bootId !== undefined && !/^[\w.:-]{1,128}$/.test(bootId)) {
    throw new UsageError('--boot-id: must be up to 128 letters, digits, . : - _');
  }
  if (!statSync(options.handlers, { throwIfNoEntry: false })?.isDirectory()) {
    throw new UsageError(`--handlers: ${options.handlers} is not a folder`);
  }
  return options;
}

function parse(args: string[]): Partial<Record<keyof typeof VARIABLES, string>> {
  const options = Object.fromEntries(Object.keys(VARIABLES).map((name) => [name, { type: 'string' } as const]));
  try {
    return parseArgs({ args, options }).values;
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}
