import type { DeviceLock, LockAnswer } from '@muster/contracts';
import type { Tx } from '@muster/journal';
import { LOGGER, Loop, type Logger } from '@muster/service';
import { Inject, Injectable, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import { CommandAccept } from '../commands/command.accept.js';
import { CommandDispatch } from '../commands/command.dispatch.js';
import { CommandEnd } from '../commands/command.end.js';
import { CommandJournal } from '../commands/command.journal.js';
import { LaneStore } from '../lanes/lane.store.js';
import { DeviceLocks } from './device.locks.js';
import { LockStore } from './lock.store.js';

const EVERY_MS = 500;
const LIMIT = 500;

/** Takes and frees the locks of devices (interfaces §4: a device is locked to every other route update). An expired one is freed by a sweep. */
@Injectable()
export class LockTake implements OnApplicationBootstrap, OnApplicationShutdown {
  private readonly loop: Loop;

  constructor(
    private readonly journal: CommandJournal,
    private readonly accept: CommandAccept,
    private readonly lanes: LaneStore,
    private readonly locks: LockStore,
    private readonly lost: DeviceLocks,
    private readonly end: CommandEnd,
    private readonly dispatch: CommandDispatch,
    @Inject(LOGGER) logger: Logger,
  ) {
    this.loop = new Loop('lock sweep', EVERY_MS, () => this.step(), logger);
  }

  onApplicationBootstrap(): void {
    this.loop.start();
  }

  onApplicationShutdown(): Promise<void> {
    return this.loop.stop();
  }

  /** Each of the devices that exists is locked for `owner`, or held by somebody else. */
  async take(
    project: string,
    owner: string,
    deviceIds: readonly string[],
    { reason, expires_in_seconds }: { reason: string; expires_in_seconds: number },
  ): Promise<LockAnswer[]> {
    await this.accept.makeLanes(project, deviceIds);
    return this.journal.transaction(project, async (tx) => {
      await this.lanes.lock(tx, deviceIds);
      await this.locks.take(tx, deviceIds, owner, reason, expires_in_seconds);
      await this.goOn(tx, deviceIds);
      const locks = await this.locks.of(tx, deviceIds);
      return locks.map((lock: DeviceLock) => ({ ...lock, locked: lock.owner === owner }));
    });
  }

  /** @returns the devices that `owner` held. */
  release(project: string, owner: string, deviceIds: readonly string[]): Promise<string[]> {
    return this.journal.transaction(project, async (tx) => {
      await this.lanes.lock(tx, deviceIds);
      const free = await this.locks.release(tx, deviceIds, owner);
      await this.goOn(tx, free);
      return free;
    });
  }

  /** Frees devices whose lock has expired. @returns whether there may be more. */
  async step(): Promise<boolean> {
    const expired = await this.locks.expired(LIMIT);
    let freed = 0;
    for (const [project, devices] of Map.groupBy(expired, (device) => device.project_id)) {
      freed += await this.journal.transaction(project, async (tx) => {
        const lanes = await this.lanes.lockFree(
          tx,
          devices.map((device) => device.device_id),
        );
        const free = await this.locks.expire(tx, [...lanes.keys()]);
        await this.goOn(tx, free);
        return free.length;
      });
    }
    return expired.length === LIMIT && freed > 0;
  }

  /** Whoever has the lock now, commands of another one will not go, and what waited for the lock may. */
  private async goOn(tx: Tx, deviceIds: readonly string[]): Promise<void> {
    await this.end.tell(tx, await this.lost.failLost(tx, deviceIds));
    await this.dispatch.dispatch(tx, deviceIds);
  }
}
