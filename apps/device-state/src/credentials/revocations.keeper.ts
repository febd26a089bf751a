import { encodeAccount, findAccount, pushAccount, type Revocations } from '@muster/bus-auth';
import { BATCH_SIZE, DomainError } from '@muster/contracts';
import { CONFIG, LOGGER, Loop, type Logger, type ServiceConfig } from '@muster/service';
import { Inject, Injectable, type BeforeApplicationShutdown, type OnApplicationBootstrap } from '@nestjs/common';
import { Events, type NatsConnection } from 'nats';
import { setTimeout as delay } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import { BusKeys, type DeviceKeys } from './bus.keys.js';
import { CredentialStore } from './credential.store.js';
import { SystemBus } from './system.bus.js';

const LOOK_MS = 1_000;
/** How long a bus may be without a revocation that it has lost, or that somebody else took away. */
const COMPARE_MS = 30_000;
/** Below the time for which the gateway waits for an answer. */
const PATIENCE_MS = 6_000;

/**
 * Keeps the revocations of the account on the bus as the table has them. Whatever differs is pushed: after a revocation at once, when an overlap
 * ends within a second, and every 30 s and at each connecting, in case that the bus has lost it.
 */
@Injectable()
export class RevocationsKeeper implements OnApplicationBootstrap, BeforeApplicationShutdown {
  private readonly loop: Loop;
  private running: Promise<void> = Promise.resolve();
  private next: Promise<void> | undefined;
  /** When the bus had all of them last, by `performance.now()`. */
  private kept: number | undefined;

  constructor(
    private readonly store: CredentialStore,
    private readonly busKeys: BusKeys,
    private readonly system: SystemBus,
    @Inject(CONFIG) private readonly config: ServiceConfig,
    @Inject(LOGGER) logger: Logger,
  ) {
    this.loop = new Loop('revocations', LOOK_MS, () => this.look(), logger);
  }

  onApplicationBootstrap(): void {
    const { connection } = this.system;
    if (!connection) return;
    this.loop.start();
    void this.wakeOnReconnect(connection);
  }

  async beforeApplicationShutdown(): Promise<void> {
    await this.loop.stop();
    await this.running.catch(() => undefined);
  }

  /**
   * Waits until the bus has the revocations that are committed by now.
   * @throws DomainError `unavailable` when it does not take them in time; they stay, and are given to it as soon as it does.
   */
  async settle(): Promise<void> {
    const given = new AbortController();
    const late = delay(PATIENCE_MS, undefined, { signal: given.signal }).then(() => {
      throw new Error('no answer in time');
    });
    try {
      await Promise.race([this.give(), late]);
    } catch (error) {
      this.kept = undefined;
      this.loop.wake();
      const why = error instanceof Error ? error.message : String(error);
      throw new DomainError('unavailable', `revoked, but the bus does not know it yet: ${why}`);
    } finally {
      given.abort();
      late.catch(() => undefined);
    }
  }

  /** Whoever asks while it is being done shares the next time, which reads what was committed until it begins. */
  private give(): Promise<void> {
    this.next ??= this.running
      .catch(() => undefined)
      .then(() => {
        this.next = undefined;
        this.running = this.compare();
        return this.running;
      });
    return this.next;
  }

  private async look(): Promise<boolean> {
    const age = this.kept === undefined ? Infinity : performance.now() - this.kept;
    if (age < COMPARE_MS && !(await this.store.revokedWithin(age + LOOK_MS))) return false;
    await this.give();
    await this.store.forget(this.config.historyDays, BATCH_SIZE);
    return false;
  }

  private async compare(): Promise<void> {
    const { connection } = this.system;
    const keys = this.busKeys.need();
    if (!connection) return;
    const began = performance.now();
    await this.store.alone(async (manager) => {
      const { revocations: current, ...rules } = await findAccount(connection, keys.account);
      const known = await this.store.known(manager, Object.keys(current));
      const wanted = { ...without(current, known), ...(await this.store.revocations(manager)) };
      if (!isDeepStrictEqual(wanted, current)) await this.push(connection, keys, { ...rules, revocations: wanted });
    });
    this.kept = began;
  }

  private async push(
    connection: NatsConnection,
    { operatorSeed }: DeviceKeys,
    rules: Parameters<typeof encodeAccount>[0],
  ): Promise<void> {
    await pushAccount(connection, await encodeAccount(rules, operatorSeed));
  }

  private async wakeOnReconnect(connection: NatsConnection): Promise<void> {
    for await (const { type } of connection.status()) {
      if (type !== Events.Reconnect) continue;
      this.kept = undefined;
      this.loop.wake();
    }
  }
}

/** What somebody else has revoked stays. */
const without = (revocations: Revocations, keys: ReadonlySet<string>): Revocations =>
  Object.fromEntries(Object.entries(revocations).filter(([key]) => !keys.has(key)));
