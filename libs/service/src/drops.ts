import type { Logger } from './logger.js';
import type { Metrics } from './metrics.js';

const LOG_EVERY_MS = 1_000;

/** Messages of devices that change nothing: each is counted, and told in the log at most once a second for each channel and reason. */
export class Drops {
  private readonly told = new Map<string, { at: number; since: number }>();

  constructor(
    private readonly logger: Logger,
    private readonly metrics: Metrics,
  ) {}

  /** `reason`: one of a few fixed words; `detail`: what a person needs to find the device. */
  count(channel: string, reason: string, detail: Record<string, unknown>): void {
    this.metrics.deviceDropped.inc({ channel, reason });
    const key = `${channel} ${reason}`;
    const last = this.told.get(key) ?? { at: 0, since: 0 };
    last.since++;
    if (Date.now() - last.at >= LOG_EVERY_MS) {
      this.logger.warn({ channel, reason, dropped: last.since, ...detail }, 'device message dropped');
      last.at = Date.now();
      last.since = 0;
    }
    this.told.set(key, last);
  }
}
