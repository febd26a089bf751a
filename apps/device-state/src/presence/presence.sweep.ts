import { BATCH_SIZE, commandWork } from '@muster/contracts';
import { Journal } from '@muster/journal';
import { LOGGER, Loop, type Logger } from '@muster/service';
import { Inject, Injectable, type BeforeApplicationShutdown, type OnApplicationBootstrap } from '@nestjs/common';
import { ConnectionStore } from '../connections/connection.store.js';
import { PresenceStore } from './presence.store.js';
import { PresenceTimes } from './presence.times.js';

/** Sweeps in the time of one heartbeat: how late at most a silent device is noticed. */
const SWEEPS_PER_HEARTBEAT = 10;

/**
 * Finds devices that have gone silent. A heartbeat moves no deadline, since that would touch an index each time: the sweep moves it when it
 * comes and the device was heard in between.
 */
@Injectable()
export class PresenceSweep implements OnApplicationBootstrap, BeforeApplicationShutdown {
  private readonly loop: Loop;
  private listeningSince = 0;

  constructor(
    private readonly journal: Journal,
    private readonly store: PresenceStore,
    private readonly connections: ConnectionStore,
    private readonly times: PresenceTimes,
    @Inject(LOGGER) logger: Logger,
  ) {
    const interval = (times.heartbeatSeconds * 1000) / SWEEPS_PER_HEARTBEAT;
    this.loop = new Loop('presence sweep', interval, () => this.sweep(), logger);
  }

  onApplicationBootstrap(): void {
    this.listeningSince = performance.now();
    this.loop.start();
  }

  async beforeApplicationShutdown(): Promise<void> {
    await this.loop.stop();
  }

  /** Looks at up to {@link BATCH_SIZE} due devices of each project; says whether there may be more. */
  private async sweep(): Promise<boolean> {
    // Nobody kept the heartbeats that were said while the service was away, so no device is judged by that time.
    if (performance.now() - this.listeningSince < this.times.silenceSeconds * 1000) return false;
    let more = false;
    for (const project of await this.store.dueProjects(BATCH_SIZE)) {
      const taken = await this.sweepProject(project);
      more ||= taken === BATCH_SIZE;
    }
    return more;
  }

  private sweepProject(project: string): Promise<number> {
    return this.journal.transaction(project, async (tx) => {
      const due = await this.store.takeDue(tx, BATCH_SIZE);
      const idsWhere = (alive: boolean) => due.filter((device) => device.alive === alive).map(({ id }) => id);
      await this.store.postpone(tx, idsWhere(true));
      const gone = await this.store.goOffline(tx, idsWhere(false), 'missed heartbeats');
      await this.connections.forget(
        tx,
        gone.map(({ id }) => id),
      );
      tx.work(
        commandWork.presence,
        {},
        gone.map(({ id, version }) => ({ device_id: id, online: false, version })),
      );
      return due.length;
    });
  }
}
