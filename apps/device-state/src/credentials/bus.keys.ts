import { accountOf } from '@muster/bus-auth';
import { DomainError } from '@muster/contracts';
import type { ServiceConfig } from '@muster/service';
import { readFileSync } from 'node:fs';

/** What makes users for devices and takes them away again, and where devices go with them. */
export interface DeviceKeys {
  /** Public key of Muster's account on the bus. */
  account: string;
  /** Signs users of the account. */
  accountSeed: string;
  /** Signs the account. */
  operatorSeed: string;
  /** Path of the service's credentials in the system account. */
  systemCreds: string;
  /** Where devices find the bus. */
  natsUrl: string;
  mqttUrl: string;
}

const KEYS = ['MUSTER_NATS_ACCOUNT_SEED', 'MUSTER_NATS_OPERATOR_SEED', 'MUSTER_NATS_SYSTEM_CREDS'] as const;
const MQTT_URL = 'MUSTER_DEVICE_MQTT_URL';
const NATS_URL = 'MUSTER_DEVICE_NATS_URL';

/** The keys of the bus, where the service was given them. */
export class BusKeys {
  /** `keys`: undefined on a bus whose users somebody else makes. */
  constructor(readonly keys: DeviceKeys | undefined) {}

  /**
   * `MUSTER_NATS_ACCOUNT_SEED`, `MUSTER_NATS_OPERATOR_SEED` and `MUSTER_NATS_SYSTEM_CREDS` are paths of files; they come together or not at all,
   * and then with `MUSTER_DEVICE_MQTT_URL` (`mqtt://` or `mqtts://`). `MUSTER_DEVICE_NATS_URL` is the service's own URL of the bus unless told.
   * @throws Error naming the variable that is missing or wrong.
   */
  static read(env: NodeJS.ProcessEnv, config: Pick<ServiceConfig, 'natsUrl' | 'natsCreds'>): BusKeys {
    if (KEYS.every((name) => !env[name])) return new BusKeys(undefined);
    for (const name of [...KEYS, MQTT_URL]) if (!env[name]) throw new Error(`${name} is not set`);
    if (config.natsCreds === undefined) throw new Error('MUSTER_NATS_CREDS is not set');
    const [accountSeed, operatorSeed] = KEYS.map((name) => read(env, name));
    return new BusKeys({
      account: accountOf(readFileSync(config.natsCreds, 'utf8')),
      accountSeed: accountSeed!,
      operatorSeed: operatorSeed!,
      systemCreds: env[KEYS[2]]!,
      natsUrl: url(NATS_URL, env[NATS_URL] || config.natsUrl, ['nats:', 'tls:']),
      mqttUrl: url(MQTT_URL, env[MQTT_URL]!, ['mqtt:', 'mqtts:']),
    });
  }

  /** @throws DomainError `conflict` where the service was not given them. */
  need(): DeviceKeys {
    if (this.keys) return this.keys;
    throw new DomainError('conflict', `credentials are not made here: ${KEYS.join(', ')} are not set`);
  }
}

function read(env: NodeJS.ProcessEnv, name: string): string {
  try {
    return readFileSync(env[name]!, 'utf8').trim();
  } catch {
    throw new Error(`${name} names ${env[name]}, which cannot be read`);
  }
}

/** An address for devices; what the service itself signs in with is no part of it. */
function url(name: string, text: string, protocols: readonly string[]): string {
  const parsed = URL.canParse(text) ? new URL(text) : undefined;
  if (!parsed || !protocols.includes(parsed.protocol))
    throw new Error(`${name} must be a URL that starts with ${protocols.map((each) => `${each}//`).join(' or ')}`);
  return `${parsed.protocol}//${parsed.host}`;
}
