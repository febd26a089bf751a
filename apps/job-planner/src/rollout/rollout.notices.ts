import { Journal } from '@muster/journal';
import { LOGGER, Loop, type Logger, type RunnerKey } from '@muster/service';
import { Inject, Injectable, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import { RolloutStore } from './rollout.store.js';

const SWEEP_MS = 500;
const ROLLOUTS_AT_ONCE = 100;

/**
 * Tells the progress of rollouts to which nothing happened since it could not be told yet. None is claimed: one that another replica, or whoever
 * was at work on it, has told meanwhile says so under its lock.
 */
@Injectable()
export class RolloutNotices implements OnApplicationBootstrap, OnApplicationShutdown {
  private readonly loop: Loop;

  constructor(
    private readonly journal: Journal,
    private readonly rollouts: RolloutStore,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {
    this.loop = new Loop('rollout notices', SWEEP_MS, () => this.step(), logger);
  }

  onApplicationBootstrap(): void {
    this.loop.start();
  }

  onApplicationShutdown(): Promise<void> {
    return this.loop.stop();
  }

  private async step(): Promise<boolean> {
    const untold = await this.rollouts.untold(ROLLOUTS_AT_ONCE);
    let failed = false;
    for (const key of untold) {
      // One that fails keeps none from being told that was found with it.
      await this.tell(key).catch((error: unknown) => {
        failed = true;
        this.logger.error({ rollout_id: key.id, err: error }, 'could not tell the progress, trying again');
      });
    }
    return untold.length === ROLLOUTS_AT_ONCE && !failed;
  }

  private tell({ project_id, id }: RunnerKey): Promise<void> {
    return this.journal.transaction(project_id, async (tx) => {
      const rollout = await this.rollouts.lock(tx, id);
      await rollout?.save(tx);
    });
  }
}
