import type { RolloutCounts } from '@muster/contracts';

/** Seconds that the rate looks back. */
const WINDOW_S = 5;
const BAR_WIDTH = 20;

const duration = (seconds: number) => {
  const whole = Math.max(0, Math.ceil(seconds));
  return whole < 60 ? `${whole} s` : `${Math.floor(whole / 60)} min ${whole % 60} s`;
};

const notSucceeded = ({ failed, timed_out, rejected, unknown, cancelled }: RolloutCounts) =>
  failed + timed_out + rejected + unknown + cancelled;

const ended = (progress: RolloutCounts) => progress.succeeded + notSucceeded(progress);

/** How fast a job's tasks end, over the last seconds. */
export class Rate {
  private readonly samples: { at: number; ended: number }[] = [];

  /**
   * Takes what is known at `at` (seconds, any origin).
   * @returns ended tasks per second; 0 while nothing is known.
   */
  add(at: number, progress: RolloutCounts): number {
    this.samples.push({ at, ended: ended(progress) });
    while (this.samples.length > 2 && at - this.samples[0]!.at > WINDOW_S) this.samples.shift();
    const first = this.samples[0]!;
    return at > first.at ? (ended(progress) - first.ended) / (at - first.at) : 0;
  }
}

/** One line: bar, counts, rate, in flight, failed, and the time that is left at this rate. */
export function progressLine(progress: RolloutCounts, perSecond: number): string {
  const done = ended(progress);
  const share = progress.targeted === 0 ? 0 : done / progress.targeted;
  const full = Math.round(share * BAR_WIDTH);
  const bar = '█'.repeat(full) + '░'.repeat(BAR_WIDTH - full);
  const left = progress.targeted - done;
  const eta = done > 0 && left === 0 ? '0 s' : perSecond > 0 ? duration(left / perSecond) : '–';
  const failed = notSucceeded(progress);
  const percent = `${Math.floor(share * 100)} %`.padStart(5);
  return `${bar} ${percent}  ${done}/${progress.targeted}  ${perSecond.toFixed(0)}/s  in flight ${progress.in_flight}  failed ${failed}  ETA ${eta}`;
}
