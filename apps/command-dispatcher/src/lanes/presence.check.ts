import { deviceState } from '@muster/contracts';
import { RpcClient } from '@muster/messaging';
import { LOGGER, Loop, type Logger } from '@muster/service';
import { Inject, Injectable, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import { CommandJournal } from '../commands/command.journal.js';
import { LaneStore } from './lane.store.js';
import { PresenceApply } from './presence.apply.js';

const EVERY_MS = 10_000;
const UNCHECKED_SECONDS = 60;
const LIMIT = 500;

/** Asks device-state about devices that seem offline while commands wait for them: heals a presence message that was lost. */
@Injectable()
export class PresenceCheck implements OnApplicationBootstrap, OnApplicationShutdown {
  private readonly loop: Loop;

  constructor(
    private readonly journal: CommandJournal,
    private readonly rpc: RpcClient,
    private readonly lanes: LaneStore,
    private readonly presence: PresenceApply,
    @Inject(LOGGER) logger: Logger,
  ) {
    this.loop = new Loop('presence check', EVERY_MS, () => this.step(), logger);
  }

  onApplicationBootstrap(): void {
    this.loop.start();
  }

  onApplicationShutdown(): Promise<void> {
    return this.loop.stop();
  }

  async step(): Promise<boolean> {
    const claimed = await this.lanes.claimUnchecked(UNCHECKED_SECONDS, LIMIT);
    const waiting = claimed.filter((lane) => lane.waits);
    for (const [project, lanes] of Map.groupBy(waiting, (lane) => lane.project_id)) {
      const { devices } = await this.rpc.call(deviceState.presence, {
        project_id: project,
        ids: lanes.map((lane) => lane.device_id),
      });
      const online = devices
        .filter((device) => device.online)
        .map(({ id, version }) => ({ device_id: id, online: true, version }));
      if (online.length > 0) await this.journal.transaction(project, (tx) => this.presence.apply(tx, online));
    }
    return claimed.length === LIMIT;
  }
}
