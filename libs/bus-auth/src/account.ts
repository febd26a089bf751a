import { decode, encodeAccount as encode, type Account, type ClaimsData } from '@nats-io/jwt';
import type { NatsConnection } from 'nats';

/** Public key of a user → epoch seconds: what was issued to it until then opens nothing any more. */
export type Revocations = Record<string, number>;

/** What may change about the account. */
export interface AccountRules {
  /** Public key. */
  account: string;
  /** Public keys that sign its users. */
  signingKeys: readonly string[];
  revocations: Revocations;
}

const UNLIMITED = -1;
/** An account may do nothing that is not said. */
export const NO_LIMITS = {
  subs: UNLIMITED,
  data: UNLIMITED,
  payload: UNLIMITED,
  imports: UNLIMITED,
  exports: UNLIMITED,
  wildcards: true,
  conn: UNLIMITED,
  leaf: UNLIMITED,
};
const JETSTREAM = { mem_storage: UNLIMITED, disk_storage: UNLIMITED, streams: UNLIMITED, consumer: UNLIMITED };
const ANSWER_MS = 5_000;

/** Muster's account as a JWT: all of the bus is its own. `operatorSeed`: a signing key of the operator. */
export const encodeAccount = (
  { account, signingKeys, revocations }: AccountRules,
  operatorSeed: string,
): Promise<string> =>
  encode(
    'muster',
    account,
    {
      signing_keys: [...signingKeys],
      revocations: { ...revocations },
      limits: { ...NO_LIMITS, ...JETSTREAM },
    },
    { signer: new TextEncoder().encode(operatorSeed) },
  );

/**
 * Gives the account to the bus, which applies it at once (whose user is revoked is disconnected) and keeps it.
 * @param system a connection of the system account.
 * @throws Error when the bus does not take it, or another key has signed the account that it has: it would keep this one all the same, and at
 *   its next start let in nobody.
 */
export async function pushAccount(system: NatsConnection, accountJwt: string): Promise<void> {
  const { sub, iss } = decode<Account>(accountJwt);
  if ((await lookUp(system, sub)).iss !== iss) throw new Error('the account is not signed by the key of this bus');
  const answer = await system.request('$SYS.REQ.CLAIMS.UPDATE', accountJwt, { timeout: ANSWER_MS });
  const { error } = answer.json<{ error?: { description?: string } }>();
  if (error) throw new Error(`the bus does not take the account: ${error.description ?? 'no reason given'}`);
}

/**
 * The account as the bus has it now.
 * @param system a connection of the system account.
 * @throws Error when the bus does not know it.
 */
export async function findAccount(system: NatsConnection, account: string): Promise<AccountRules> {
  const { nats } = await lookUp(system, account);
  const signingKeys = (nats.signing_keys ?? []).map((each) => (typeof each === 'string' ? each : each.key));
  return { account, signingKeys, revocations: nats.revocations ?? {} };
}

async function lookUp(system: NatsConnection, account: string): Promise<ClaimsData<Account>> {
  const answer = await system.request(`$SYS.REQ.ACCOUNT.${account}.CLAIMS.LOOKUP`, undefined, { timeout: ANSWER_MS });
  const jwt = answer.string();
  if (jwt === '') throw new Error(`the bus does not know the account ${account}`);
  return decode<Account>(jwt);
}
