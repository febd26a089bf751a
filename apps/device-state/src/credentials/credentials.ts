import { deviceUser, publicKeyOf } from '@muster/bus-auth';
import {
  CREDENTIAL_SECONDS,
  DomainError,
  MOST_CREDENTIALS,
  type DeviceCredential,
  type IssuedCredential,
} from '@muster/contracts';
import { Journal, type Tx } from '@muster/journal';
import { LOGGER, type Logger } from '@muster/service';
import { Inject, Injectable } from '@nestjs/common';
import { createHmac } from 'node:crypto';
import { BusKeys, type DeviceKeys } from './bus.keys.js';
import type { CredentialEntity } from './credential.entity.js';
import { CredentialStore } from './credential.store.js';
import { RevocationsKeeper } from './revocations.keeper.js';

/** Which credentials are meant, or are to be. */
export interface CredentialKey {
  project_id: string;
  device_id: string;
  id: string;
}

/** What new credentials are made with. */
export interface Order extends CredentialKey {
  created_by: string;
  seconds?: number | undefined;
}

const noDevice = (id: string) => new DomainError('not_found', `no device ${id}`);
const noCredential = (id: string) => new DomainError('not_found', `no credentials ${id}`);

/** Makes, shows and revokes the credentials by which devices are let onto the bus. */
@Injectable()
export class Credentials {
  constructor(
    private readonly journal: Journal,
    private readonly store: CredentialStore,
    private readonly busKeys: BusKeys,
    private readonly keeper: RevocationsKeeper,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {}

  async issue(order: Order): Promise<IssuedCredential> {
    const keys = this.busKeys.need();
    const row = await this.journal.transaction(order.project_id, (tx) => this.make(tx, keys, order));
    return this.hand(keys, row);
  }

  /** The new credentials are answered also when the bus cannot take the old ones away yet: who asked has no others. */
  async rotate(order: Order, replaces: string, overlapSeconds: number): Promise<IssuedCredential> {
    const keys = this.busKeys.need();
    const row = await this.journal.transaction(order.project_id, async (tx) => {
      if (!(await this.store.lockDevice(tx, order.device_id))) throw noDevice(order.device_id);
      const old = await this.store.find(tx, order.device_id, replaces);
      if (!old) throw noCredential(replaces);
      const isRepeated = (await this.store.find(tx, order.device_id, order.id)) !== undefined;
      if (old.revoked_at && !isRepeated) throw new DomainError('conflict', `credentials ${replaces} are revoked`);
      if (!isRepeated) await this.store.revoke(tx, order.device_id, replaces, overlapSeconds);
      return this.make(tx, keys, order, replaces);
    });
    if (overlapSeconds === 0)
      await this.keeper.settle().catch((error: unknown) => this.logger.warn({ err: error }, 'rotated credentials'));
    return this.hand(keys, row);
  }

  /** @throws DomainError `unavailable` when they are revoked and the bus cannot be told; it is told as soon as it can. */
  async revoke({ project_id, device_id, id }: CredentialKey): Promise<void> {
    this.busKeys.need();
    await this.journal.transaction(project_id, async (tx) => {
      if (!(await this.store.lockDevice(tx, device_id))) throw noDevice(device_id);
      if (!(await this.store.find(tx, device_id, id))) throw noCredential(id);
      await this.store.revoke(tx, device_id, id, 0);
    });
    await this.keeper.settle();
  }

  /** A page after the credentials `after`. */
  async list(
    project_id: string,
    device_id: string,
    after: string | undefined,
    limit: number,
  ): Promise<{ credentials: DeviceCredential[]; next: string | null }> {
    if (!(await this.store.deviceExists(project_id, device_id))) throw noDevice(device_id);
    const rows = await this.store.list(project_id, device_id, after, limit + 1);
    const page = rows.slice(0, limit);
    return { credentials: page.map(documentOf), next: rows.length > limit ? page.at(-1)!.id : null };
  }

  private async make(tx: Tx, keys: DeviceKeys, order: Order, replaces?: string): Promise<CredentialEntity> {
    const { device_id, id, created_by, seconds = CREDENTIAL_SECONDS.default } = order;
    if (!(await this.store.lockDevice(tx, device_id))) throw noDevice(device_id);
    const public_key = publicKeyOf(secretOf(keys, order));
    const known = await this.store.find(tx, device_id, id);
    // Tokens written now would be younger than a revocation that somebody else carried out.
    if (known?.revoked_at) throw new DomainError('conflict', `credentials ${id} are revoked`);
    if (known && known.public_key !== public_key)
      throw new DomainError('conflict', `credentials ${id} were made with other keys of the bus`);
    if (known) return known;
    if ((await this.store.countUsable(tx, device_id, replaces)) >= MOST_CREDENTIALS)
      throw new DomainError('conflict', `the device has ${MOST_CREDENTIALS} credentials already: revoke one first`);
    return this.store.insert(tx, { id, device_id, public_key, seconds, created_by });
  }

  private async hand(keys: DeviceKeys, row: CredentialEntity): Promise<IssuedCredential> {
    const { project_id: project, device_id: device, id, expires_at } = row;
    const signer = { account: keys.account, seed: keys.accountSeed };
    const raw = secretOf(keys, row);
    const { creds, password } = await deviceUser(signer, { project, device }, expires_at, raw);
    return {
      id,
      device_id: device,
      expires_at: expires_at.toISOString(),
      nats: { url: keys.natsUrl, creds },
      mqtt: { url: keys.mqttUrl, username: device, password },
    };
  }
}

/**
 * What the private key of a device's user is made of. It follows from the seed that signs the users anyway, so whoever asks again after a broken
 * connection can be given the same credentials, although their secret is kept nowhere.
 */
const secretOf = ({ accountSeed }: DeviceKeys, { project_id, device_id, id }: CredentialKey): Uint8Array =>
  createHmac('sha256', accountSeed).update(`device user\n${project_id}\n${device_id}\n${id}`).digest();

const documentOf = (row: CredentialEntity): DeviceCredential => ({
  id: row.id,
  device_id: row.device_id,
  issued_at: row.issued_at.toISOString(),
  expires_at: row.expires_at.toISOString(),
  revoked_at: row.revoked_at?.toISOString() ?? null,
  created_by: row.created_by,
});
