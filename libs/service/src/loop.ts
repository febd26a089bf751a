import { backOff, PASSING_TROUBLE_MS } from '@muster/messaging';
import type { Logger } from './logger.js';

/**
 * Repeats a step: again at once while it says that there is more, else after `intervalMs` or when woken. A step that throws is logged and
 * tried again with back-off. Any number of replicas may run the same loop: the step claims what it works on.
 */
export class Loop {
  private stopped = false;
  private woken = false;
  private wakeUp: (() => void) | undefined;
  private running: Promise<void> | undefined;

  constructor(
    private readonly name: string,
    private readonly intervalMs: number,
    private readonly step: () => Promise<boolean>,
    private readonly logger: Logger,
  ) {}

  start(): void {
    this.running = this.run();
  }

  /** Runs the step soon; a wake-up during a step is kept. */
  wake(): void {
    this.woken = true;
    this.wakeUp?.();
  }

  async stop(): Promise<void> {
    this.stopped = true;
    this.wakeUp?.();
    await this.running;
  }

  private async run(): Promise<void> {
    let failures = 0;
    while (!this.stopped) {
      let pause = this.intervalMs;
      this.woken = false;
      try {
        const more = await this.step();
        failures = 0;
        if (more) continue;
      } catch (error) {
        failures++;
        pause = backOff(failures, PASSING_TROUBLE_MS);
        this.woken = false;
        this.logger.error({ loop: this.name, err: error }, 'loop failed, trying again');
      }
      if (!this.woken && !this.stopped) await this.sleep(pause);
    }
  }

  private async sleep(ms: number): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    await new Promise<void>((resolve) => {
      this.wakeUp = resolve;
      timer = setTimeout(resolve, ms);
    });
    clearTimeout(timer);
  }
}
