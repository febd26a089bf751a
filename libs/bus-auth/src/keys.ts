import { createAccount, createOperator, encodeAccount as encode, encodeOperator, type KeyPair } from '@nats-io/jwt';
import { encodeAccount, NO_LIMITS } from './account.js';

/** What opens a bus: to be kept secret, and as long as the bus. A seed is a private key. */
export interface BusKeys {
  /** Is the operator; needed only to give it other signing keys. */
  operatorIdentitySeed: string;
  /** Signs accounts. */
  operatorSeed: string;
  /** Signs users of the system account. */
  systemSeed: string;
  /** Is the account; needed only to give it other signing keys. */
  accountIdentitySeed: string;
  /** Signs users of Muster's account. */
  accountSeed: string;
  operatorJwt: string;
  systemAccount: string;
  systemJwt: string;
  account: string;
  /** The account as it was first, without revocations: the bus keeps the newest one. */
  accountJwt: string;
}

const seedOf = (pair: KeyPair) => new TextDecoder().decode(pair.getSeed());

/** New keys for a bus of its own: an operator, the system account, and one account for Muster, its devices and its readers (ADR 11). */
export async function makeKeys(): Promise<BusKeys> {
  const [operatorIdentity, operator] = [createOperator(), createOperator()];
  const [system, accountIdentity, accountSigner] = [createAccount(), createAccount(), createAccount()];
  const systemAccount = system.getPublicKey();
  const account = accountIdentity.getPublicKey();
  const operatorSeed = seedOf(operator);
  return {
    operatorIdentitySeed: seedOf(operatorIdentity),
    operatorSeed,
    systemSeed: seedOf(system),
    accountIdentitySeed: seedOf(accountIdentity),
    accountSeed: seedOf(accountSigner),
    operatorJwt: await encodeOperator('muster', operatorIdentity, {
      signing_keys: [operator.getPublicKey()],
      system_account: systemAccount,
    }),
    systemAccount,
    systemJwt: await encode('system', systemAccount, { limits: NO_LIMITS }, { signer: operator }),
    account,
    accountJwt: await encodeAccount(
      { account, signingKeys: [accountSigner.getPublicKey()], revocations: {} },
      operatorSeed,
    ),
  };
}
