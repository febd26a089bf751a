import type { Job, JobAction, JobStatus } from '@muster/contracts';

/** What becomes of a command: its device's word, or none until its time is over. */
export type Ending = 'success' | 'failure' | 'timeout';

/** What a job answers to an action, and whether that changes anything. */
export type Verdict = { allowed: true; answer: JobStatus; changes: boolean } | { allowed: false };

/** Every move of a job's status that there is (interfaces §1). */
export const MOVES = [
  'Waiting → Running',
  'Waiting → Stopping',
  'Waiting → Failed',
  'Running → Successful',
  'Running → Partially_successful',
  'Running → Failed',
  'Running → Timed_out',
  'Running → Stopping',
  'Stopping → Stopped',
  'Stopped → Running',
  'Stopped → Stopping',
  'Partially_successful → Running',
  'Failed → Running',
  'Timed_out → Running',
];

/** Where a job stands, as far as actions tell it apart: a pause can be taken back, a cancel cannot. */
export const STANDS = [
  'Waiting',
  'Running',
  'Stopping, paused',
  'Stopping, cancelled',
  'Stopped, paused',
  'Stopped, cancelled',
  'Successful',
  'Partially_successful',
  'Failed',
  'Timed_out',
] as const;

const refused: Verdict = { allowed: false };

/** What interfaces §1 makes of a job whose devices end their commands when and how somebody says. */
export class JobModel {
  status: JobStatus = 'Waiting';
  /** The statuses that it had, in their order. */
  readonly path: JobStatus[] = ['Waiting'];
  private wish: 'run' | 'pause' | 'cancel' = 'run';
  private waiting: number;
  private running = 0;
  private stopping = 0;
  private succeeded = 0;
  private failed = 0;
  private timedOut = 0;
  private stopped = 0;

  /** @param held its devices do not begin for a long time */
  constructor(
    private readonly devices: number,
    private readonly slots: number,
    private readonly held: boolean,
  ) {
    this.waiting = devices;
    this.settle();
  }

  get stand(): (typeof STANDS)[number] {
    if (this.status !== 'Stopping' && this.status !== 'Stopped') return this.status;
    return `${this.status}, ${this.wish === 'pause' ? 'paused' : 'cancelled'}`;
  }

  /** Commands that devices work on. */
  get inFlight(): number {
    return this.running + this.stopping;
  }

  /** How many of them are being cancelled: all or none. */
  get cancelling(): number {
    return this.stopping;
  }

  /** What its document shows of this. */
  get document() {
    const { waiting, inFlight, succeeded, failed, timedOut, stopped, devices } = this;
    const isAtRest = !['Waiting', 'Running', 'Stopping'].includes(this.status);
    const others = devices - succeeded;
    const fellShort = others === 0 ? '' : `${others} of ${devices} devices did not succeed`;
    const reason = {
      run: !isAtRest ? '' : devices === 0 ? 'no device to work on' : fellShort,
      pause: 'paused',
      cancel: 'cancelled',
    };
    return {
      status: this.status,
      reason: reason[this.wish],
      task_total_count: devices,
      task_success_count: succeeded,
      task_failed_count: failed + timedOut,
      progress: {
        targeted: devices,
        pending: waiting,
        in_flight: inFlight,
        succeeded,
        failed,
        timed_out: timedOut,
        rejected: 0,
        cancelled: stopped,
        unknown: 0,
        offline: 0,
        waiting_for: isAtRest ? null : inFlight > 0 ? 'in_flight' : 'window',
      },
    } satisfies Partial<Omit<Job, 'progress'>> & { progress: Partial<Job['progress']> };
  }

  act(action: JobAction): Verdict {
    const { status } = this;
    switch (action) {
      case 'pause':
        return status === 'Waiting' || status === 'Running' ? this.obey('pause', 'Stopping') : refused;
      case 'restore':
        return this.stand === 'Stopped, paused' ? this.obey('run', 'Running') : refused;
      case 'retry':
        if (!['Failed', 'Partially_successful', 'Timed_out'].includes(status)) return refused;
        this.waiting += this.failed + this.timedOut;
        this.failed = this.timedOut = 0;
        return this.obey('run', 'Running');
      case 'cancel':
        if (this.wish === 'cancel') return { allowed: true, answer: status, changes: false };
        return ['Waiting', 'Running', 'Stopping', 'Stopped'].includes(status)
          ? this.obey('cancel', 'Stopping')
          : refused;
    }
  }

  /** Whether it may be deleted. */
  get isDeletable(): boolean {
    return !['Waiting', 'Running', 'Stopping'].includes(this.status);
  }

  /** A command that is in flight ends. */
  end(ending: Ending): void {
    const isCancelled = this.stopping > 0;
    if (isCancelled) this.stopping--;
    else this.running--;
    if (ending === 'success') this.succeeded++;
    else if (ending === 'failure') this.failed++;
    else if (isCancelled) this.stopped++;
    else this.timedOut++;
    this.settle();
  }

  private obey(wish: typeof this.wish, answer: JobStatus): Verdict {
    this.wish = wish;
    this.move(answer);
    this.settle();
    return { allowed: true, answer, changes: true };
  }

  private move(to: JobStatus): void {
    if (to === this.status) return;
    this.status = to;
    this.path.push(to);
  }

  /** What follows by itself. */
  private settle(): void {
    if (this.wish === 'run') return this.goOn();
    if (this.wish === 'cancel') {
      this.stopped += this.waiting;
      this.stopping += this.running;
      this.waiting = this.running = 0;
    }
    if (this.inFlight === 0) this.move('Stopped');
  }

  private goOn(): void {
    if (this.held) return;
    const released = Math.min(this.waiting, this.slots - this.running);
    this.waiting -= released;
    this.running += released;
    if (this.running > 0) this.move('Running');
    else this.move(this.derived());
  }

  /** All succeeded → Successful, all failed → Failed, time ran out for all → Timed_out, else Partially_successful. */
  private derived(): JobStatus {
    if (this.devices > 0 && this.succeeded === this.devices) return 'Successful';
    if (this.succeeded > 0) return 'Partially_successful';
    return this.devices > 0 && this.timedOut === this.devices ? 'Timed_out' : 'Failed';
  }
}
