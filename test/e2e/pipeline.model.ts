import type { RunState, StageRunState, TargetRunState } from '@muster/contracts';

/** What becomes of a command: its device's word, that it was cancelled, or nothing until its time is over. */
export type Ending = 'success' | 'failure' | 'timeout' | 'cancelled';

/** What the product answers to an action: `changes` where it is carried out and anything follows, else a refusal's status. */
export type Verdict = { status: 200; changes: boolean } | { status: 400 | 404 | 409 };

export interface StageShape {
  promotion: 'auto' | 'manual';
  on_failure: 'stop' | 'continue';
  operations: number;
  devices: number;
  slots: number;
  /** Nothing of it begins before somebody approves. */
  approval: boolean;
}

/** What keeps commands from going their way. */
export interface Surroundings {
  /** Requests of commands do not come through. */
  unheard: boolean;
  /** Devices are at work on something else. */
  busy: boolean;
}

const ENDS: readonly string[] = ['success', 'failure', 'cancelled', 'timeout', 'invalid'];
const REFUSED: Verdict = { status: 400 };
const DONE: Verdict = { status: 200, changes: true };
const SAME: Verdict = { status: 200, changes: false };

/** Something that has a status, with the statuses that it had. */
class Thing<Status extends string> {
  readonly path: Status[] = [];

  constructor(...path: Status[]) {
    this.path.push(...path);
  }

  get status(): Status {
    return this.path.at(-1)!;
  }

  get isOver(): boolean {
    return ENDS.includes(this.status);
  }

  move(...path: Status[]): void {
    this.path.push(...path);
  }

  is = (...some: Status[]): boolean => some.includes(this.status);
}

export class TargetModel extends Thing<TargetRunState> {
  command_status = '';

  get hasCommand(): boolean {
    return this.command_status !== '';
  }

  /** Its command comes to an end. */
  complete(command_status: string): void {
    if (this.is('processing')) this.move('dispatched');
    if (this.is('dispatched') && command_status === 'SUCCESS') this.move('running');
    this.command_status = command_status;
    this.move('complete', command_status === 'SUCCESS' ? 'success' : 'failure');
  }

  giveUp(to: 'cancelled' | 'timeout' | 'invalid'): void {
    if (this.isOver || (to === 'cancelled' && this.is('dispatched', 'running'))) return;
    if (this.hasCommand) this.command_status = 'CANCELLED';
    this.move(to);
  }
}

/** A device's way through a stage. */
export class DeviceModel {
  part: 'waiting' | 'running' | 'stopping' | 'over' = 'waiting';
  succeeded = false;
  step = 0;
  readonly targets: readonly TargetModel[];

  constructor(operations: number) {
    this.targets = Array.from({ length: operations }, (_, step) =>
      step === 0 ? new TargetModel('pending', 'queued') : new TargetModel('pending'),
    );
  }

  get current(): TargetModel {
    return this.targets[this.step]!;
  }

  get isInFlight(): boolean {
    return this.part === 'running' || this.part === 'stopping';
  }

  standOf(target: TargetModel): string {
    return target.is('running') && this.part === 'stopping' ? 'running, stopping' : target.status;
  }

  giveUp(to: 'cancelled' | 'timeout' | 'invalid'): void {
    for (const target of this.targets) target.giveUp(to);
    this.part = 'over';
  }
}

export class StageModel extends Thing<StageRunState> {
  devices: DeviceModel[] = [];
  /** As what it ends once it stands still, where that is not by itself. */
  ending: 'cancelled' | 'timeout' | undefined;
  isApproved: boolean;

  constructor(
    readonly shape: StageShape,
    private readonly surroundings: Surroundings,
  ) {
    super('pending');
    this.isApproved = !shape.approval;
  }

  get stand(): string {
    return this.is('running') && this.ending ? 'running, stopping' : this.status;
  }

  get isActive(): boolean {
    return !this.is('pending') && !this.isOver;
  }

  start(): void {
    const { operations, devices } = this.shape;
    this.move('queued', 'processing');
    if (operations === 0) return this.move('invalid');
    this.devices = Array.from({ length: devices }, () => new DeviceModel(operations));
    this.settle();
  }

  stop(as: 'cancelled' | 'timeout'): void {
    this.ending ??= as;
    this.settle();
  }

  /** The time of its rollout is up: what has not begun never does. */
  close(): void {
    for (const device of this.devices) if (device.part === 'waiting') device.giveUp('timeout');
    this.isApproved = true;
    this.settle();
  }

  cancel(): Verdict {
    if (this.is('cancelled')) return SAME;
    if (this.isOver) return REFUSED;
    if (this.is('pending')) this.move('cancelled');
    else this.stop('cancelled');
    return DONE;
  }

  cancelTarget(device: DeviceModel, target: TargetModel): Verdict {
    if (target.is('cancelled')) return SAME;
    if (!target.is('pending', 'queued', 'processing')) return REFUSED;
    if (target !== device.current)
      for (const one of device.targets.slice(device.targets.indexOf(target))) one.giveUp('cancelled');
    else if (device.part === 'waiting') device.giveUp('cancelled');
    else device.part = 'stopping';
    this.settle();
    return DONE;
  }

  cancelCommand(device: DeviceModel, target: TargetModel): Verdict {
    if (!target.hasCommand) return { status: 404 };
    if (target !== device.current || !device.isInFlight) return REFUSED;
    if (device.part === 'stopping') return SAME;
    device.part = 'stopping';
    this.settle();
    return DONE;
  }

  /** The command that a device has in flight ends. */
  end(device: DeviceModel, ending: Ending): void {
    this.endCommand(device, ending);
    this.settle();
  }

  private endCommand(device: DeviceModel, ending: Ending): void {
    const { current, targets, step } = device;
    if (ending === 'cancelled') {
      device.giveUp(this.ending ?? 'cancelled');
      if (!current.isOver) current.complete('CANCELLED');
      return;
    }
    current.complete({ success: 'SUCCESS', failure: 'FAILURE', timeout: 'TIMEOUT' }[ending]);
    const next = targets[step + 1];
    if (ending !== 'success') device.giveUp('invalid');
    else if (!next) Object.assign(device, { part: 'over', succeeded: true });
    else if (device.part === 'running' && next.is('pending')) {
      device.step++;
      next.move('queued');
      this.request(next);
    } else device.giveUp(this.ending ?? 'cancelled');
  }

  private request(target: TargetModel): void {
    target.move('processing');
    target.command_status = 'QUEUED';
    this.forward(target);
  }

  /** A command goes as far as its surroundings let it; every device says that it has it. */
  private forward(target: TargetModel): void {
    const { unheard, busy } = this.surroundings;
    if (target.is('processing') && !unheard) target.move('dispatched');
    if (!target.is('dispatched') || busy) return;
    target.move('running');
    target.command_status = 'ACKNOWLEDGED';
  }

  /** What follows by itself. */
  settle(): void {
    if (!this.isActive) return;
    for (const device of this.devices) {
      if (this.ending && device.part === 'waiting') device.giveUp(this.ending);
      if (this.ending && device.part === 'running') device.part = 'stopping';
      // What its device has not been sent is cancelled at once.
      if (device.part === 'stopping' && !device.current.is('running')) this.endCommand(device, 'cancelled');
      if (device.isInFlight) this.forward(device.current);
    }
    if (!this.ending && this.isApproved) this.release();
    if (this.devices.some(({ part }) => part !== 'over')) return;
    if (this.ending) return this.move(this.ending);
    if (this.devices.length === 0) return this.move('invalid');
    if (this.is('processing')) this.move('running');
    this.move('complete', this.devices.every(({ succeeded }) => succeeded) ? 'success' : 'failure');
  }

  private release(): void {
    for (const device of this.devices) {
      const inFlight = this.devices.filter(({ isInFlight }) => isInFlight).length;
      if (device.part !== 'waiting' || inFlight >= this.shape.slots) continue;
      device.part = 'running';
      if (this.is('processing')) this.move('running');
      this.request(device.current);
    }
  }
}

/** What interfaces §2 makes of a run whose devices end their commands when and how somebody says. */
export class RunModel extends Thing<RunState> {
  readonly stages: readonly StageModel[];
  waits = false;
  private wish: 'run' | 'cancelled' | 'timeout' = 'run';
  private promoted = 0;
  private reason = '';

  /** @param held the status in which it stays until it is let go */
  constructor(
    shapes: readonly StageShape[],
    readonly surroundings: Surroundings,
    public held: RunState | undefined,
  ) {
    super('pending');
    this.stages = shapes.map((shape) => new StageModel(shape, surroundings));
    this.settle();
  }

  get stand(): string {
    if (!this.is('running')) return this.status;
    if (this.wish !== 'run') return 'running, stopping';
    return this.waits ? 'running, to wait' : 'running';
  }

  /** What its documents show of this, and how many commands its devices were told to stop. */
  get document() {
    const devices = this.stages.flatMap((stage) => stage.devices);
    return {
      status: this.status,
      waits: this.waits,
      cancelling: devices.filter((one) => one.standOf(one.current) === 'running, stopping').length,
      stages: this.stages.map(({ status, devices }) => ({
        status,
        targets: devices.flatMap(({ targets }) => targets.map((one) => [one.status, one.command_status])),
      })),
    };
  }

  set(to: 'running' | 'waiting' | 'cancelled'): Verdict {
    const stops = this.wish !== 'run' || this.isOver || this.is('complete');
    if (to === 'cancelled') {
      if (this.is('cancelled') || (this.wish === 'cancelled' && !this.isOver)) return SAME;
      if (this.isOver || this.is('complete')) return REFUSED;
      this.wish = 'cancelled';
    } else if (stops) return REFUSED;
    else if (to === 'waiting') {
      if (this.is('waiting') || this.waits) return SAME;
      this.waits = true;
    } else if (this.is('waiting') || this.waits) {
      this.waits = false;
      this.promoted = Math.max(this.promoted, this.place);
      if (this.is('waiting')) this.move('running');
    } else return this.is('running') ? SAME : REFUSED;
    this.settle();
    return DONE;
  }

  timeOut(): void {
    if (this.wish === 'run' && !this.is('complete')) this.wish = 'timeout';
    this.settle();
  }

  /** What follows by itself. */
  settle(): void {
    do for (const stage of this.stages) stage.settle();
    while (this.step());
  }

  /** The place of the first stage that has not ended. */
  private get place(): number {
    return this.stages.findIndex(({ isOver }) => !isOver);
  }

  private step(): boolean {
    if (this.isOver || (this.status === this.held && (this.wish === 'run' || this.is('complete')))) return false;
    if (this.is('complete'))
      return this.enter(this.stages.every((stage) => stage.is('success')) ? 'success' : 'failure');
    if (this.wish !== 'run') return this.stopAs(this.wish);
    if (this.is('pending', 'queued')) return this.enter(this.is('pending') ? 'queued' : 'processing');
    if (this.is('processing')) return this.enter(this.stages.length === 0 ? 'invalid' : 'running');
    return this.is('running', 'waiting') && this.goOn();
  }

  private enter(to: RunState): true {
    this.move(to);
    if (this.isOver) this.waits = false;
    return true;
  }

  private stopAs(as: 'cancelled' | 'timeout'): boolean {
    const active = this.stages.find(({ isActive }) => isActive);
    active?.stop(as);
    if (active?.isActive) return false;
    for (const stage of this.stages) if (stage.is('pending')) stage.move(as);
    return this.enter(as);
  }

  /** Why the stage at this place does not begin; undefined where it does. */
  private reasonBefore(place: number): 'stopped' | 'paused' | `promotion of ${number}` | undefined {
    const before = this.stages.slice(0, place);
    if (before.some((stage) => !stage.is('success') && stage.shape.on_failure === 'stop')) return 'stopped';
    if (this.waits) return 'paused';
    const manual = before.findLastIndex(({ shape }) => shape.promotion === 'manual');
    return manual >= this.promoted ? `promotion of ${manual}` : undefined;
  }

  /** It may wait for nothing any more: a stage that it waited before was cancelled. */
  private goOn(): boolean {
    const { place } = this;
    const stage = this.stages[place];
    if (stage?.isActive) return false;
    const reason = stage && this.reasonBefore(place);
    if (this.is('waiting')) return reason !== this.reason && this.enter('running');
    if (!stage) return this.enter('complete');
    if (reason === 'stopped') for (const one of this.stages) if (one.is('pending')) one.move('cancelled');
    if (!reason) stage.start();
    if (!reason || reason === 'stopped') return true;
    this.reason = reason;
    return this.enter('waiting');
  }
}
