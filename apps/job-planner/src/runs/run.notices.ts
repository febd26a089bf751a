import { pipelineRunProgress } from '@muster/contracts';
import { Journal } from '@muster/journal';
import { isEnd } from '@muster/lifecycle';
import { LOGGER, Loop, type Logger, type RunnerKey } from '@muster/service';
import { Inject, Injectable, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import { pipelineRunLifecycle } from './pipeline-run.lifecycle.js';
import { runProgressOf } from './run.progress.js';
import { RunStore } from './run.store.js';

const SWEEP_MS = 500;
const RUNS_AT_ONCE = 100;

/**
 * Tells the progress of runs, at most once a second each: after its own transitions, and after notices of its stage runs. Whoever moves devices
 * locks their rollout, and must not lock the run; so a notice of a stage run is left `unheard`, and found here.
 */
@Injectable()
export class RunNotices implements OnApplicationBootstrap, OnApplicationShutdown {
  private readonly loop: Loop;

  constructor(
    private readonly journal: Journal,
    private readonly runs: RunStore,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {
    this.loop = new Loop('run notices', SWEEP_MS, () => this.step(), logger);
  }

  onApplicationBootstrap(): void {
    this.loop.start();
  }

  onApplicationShutdown(): Promise<void> {
    return this.loop.stop();
  }

  private async step(): Promise<boolean> {
    const untold = await this.runs.untold(RUNS_AT_ONCE);
    let failed = false;
    for (const key of untold) {
      // One that fails keeps none from being told that was found with it.
      await this.tell(key).catch((error: unknown) => {
        failed = true;
        this.logger.error({ run_id: key.id, err: error }, 'could not tell the progress, trying again');
      });
    }
    return untold.length === RUNS_AT_ONCE && !failed;
  }

  private tell({ project_id, id }: RunnerKey): Promise<void> {
    return this.journal.transaction(project_id, async (tx) => {
      const run = await this.runs.lockUntold(tx, id);
      if (!run) return;
      // Before the tally: what a stage tells after it is heard of the next time.
      await this.runs.hear(tx, id);
      // With its end all has been told of it.
      if (isEnd(pipelineRunLifecycle, run.state) && run.tell_at === null) return;
      const [tally] = await this.runs.tallies(tx, project_id, [id]);
      const at = Math.trunc(run.now);
      const number = run.told + 1;
      await this.runs.noteTold(tx, id, new Date(at));
      const { traceparent } = run;
      tx.notice(pipelineRunProgress, {
        ...{ id, number, at, data: runProgressOf(run.state, tally) },
        ...(traceparent && { traceparent }),
      });
    });
  }
}
