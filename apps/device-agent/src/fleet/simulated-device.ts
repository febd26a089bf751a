import type { CancelMessage, CommandMessage, StatusMessage } from '@muster/contracts';
import { decideCommand } from '../device/command.decision.js';
import { answerTo, failure } from './answer.js';
import { fateOf, type Behaviour, type Fate } from './behaviour.js';
import { desiredOf, versionOf } from './command.args.js';
import { DeviceMemory, newExecution, type Execution } from './device.memory.js';
import { changesState, DeviceState, type Change } from './device.state.js';
import { driftFrom } from './drift.js';

/** A device as it is registered. */
export interface DeviceIdentity {
  id: string;
  name: string;
}

/** What a simulated device has at hand. */
export interface DeviceSurroundings {
  behaviour: Behaviour;
  /** The id of the boot in which devices are until their first reboot. */
  bootId: string;
  /** Says hello for the device; resolves once that is kept. */
  hello(device: SimulatedDevice): Promise<void>;
  say(device: DeviceIdentity, channel: 'status' | 'report', payload: object, traceparent: string | undefined): void;
  /** An execution begins; `again`: the device has executed this command before. */
  executed(device: DeviceIdentity, commandId: string, fence: number, again: boolean): void;
  /** An execution comes to its end, and the device is about to tell so. */
  ended(device: DeviceIdentity, commandId: string, fence: number, status: 'success' | 'failure'): void;
  /** A command came again, and was answered without being executed. */
  repeated(): void;
}

/** A shorter command says nothing before its end. */
const ACKNOWLEDGED_FROM_MS = 1_000;

/** One simulated device: executes a command once, however often and in whatever order its messages come. */
export class SimulatedDevice {
  readonly id: string;
  readonly name: string;
  online = false;
  readonly #memory = new DeviceMemory();
  #state: DeviceState | undefined;

  constructor(
    { id, name }: DeviceIdentity,
    readonly surroundings: DeviceSurroundings,
  ) {
    this.id = id;
    this.name = name;
  }

  /** The id of its present boot. */
  get bootId(): string {
    return this.#state?.bootId ?? this.surroundings.bootId;
  }

  receive(message: CommandMessage, traceparent?: string): void {
    const { command_id, fence } = message;
    const known = this.#memory.recall(command_id);
    const decision = decideCommand(known, fence);
    if (decision === 'run') return this.#execute(message, traceparent);
    if (!known || decision === 'stale') return;
    this.surroundings.repeated();
    if (decision === 'join') {
      known.fence = fence;
      this.#say({ command_id, fence, status: 'inprogress' }, traceparent);
    } else {
      this.#answer(message, known, traceparent);
    }
  }

  /** Stops a command that runs, or keeps one from running that has not come yet. */
  cancel(message: CancelMessage, traceparent?: string): void {
    const { command_id, fence } = message;
    const known = this.#memory.recall(command_id);
    const decision = decideCommand(known, fence);
    const stops = decision === 'run' || (decision === 'join' && known?.fence === fence);
    if (!stops) return;
    clearTimeout(known?.timer);
    this.#memory.remember({ ...newExecution(command_id, fence), state: 'failed', code: 'cancelled' });
    this.surroundings.ended(this, command_id, fence, 'failure');
    this.#say(failure(message, 'cancelled'), traceparent);
  }

  stop(): void {
    this.#memory.stop();
  }

  #execute(message: CommandMessage, traceparent: string | undefined): void {
    const { command_id, command, fence } = message;
    const fate = fateOf(this.surroundings.behaviour, this.name, command_id, fence);
    const execution = newExecution(command_id, fence);
    const again = this.#memory.remember(execution);
    this.surroundings.executed(this, command_id, fence, again);

    const reboots = command === 'REBOOT' && !fate.fails && !fate.lies;
    const acknowledged: StatusMessage = { command_id, fence, status: 'acknowledged' };
    const takesLong = reboots || fate.latency >= ACKNOWLEDGED_FROM_MS;
    if (!fate.reordered && takesLong) this.#say(acknowledged, traceparent);
    if (reboots) this.online = false;
    execution.timer = setTimeout(() => {
      execution.timer = undefined;
      this.#carryOut(message, execution, fate);
      const tell = () => {
        this.surroundings.ended(
          this,
          command_id,
          execution.fence,
          execution.state === 'failed' ? 'failure' : 'success',
        );
        const asked = { ...message, fence: execution.fence };
        this.#answer(asked, execution, traceparent);
        if (fate.duplicated) this.#answer(asked, execution, traceparent);
        if (fate.reordered) this.#say(acknowledged, traceparent);
      };
      if (!reboots) return tell();
      this.online = true;
      void this.surroundings.hello(this).then(tell);
    }, fate.latency);
  }

  /** Lets the command come to its end, good or bad, and its change happen, if it makes one. */
  #carryOut(message: CommandMessage, execution: Execution, fate: Fate): void {
    const breaks = this.surroundings.behaviour.failingVersions.includes(versionOf(message) ?? '');
    execution.state = fate.fails || breaks ? 'failed' : 'succeeded';
    if (execution.state === 'failed') execution.code = 'simulated';
    if (message.command === 'REBOOT') execution.before = this.bootId;
    // A bad release installs itself by half, whatever would have come of another.
    if (!breaks && (fate.fails || fate.lies)) return;
    const { before, code }: Change = changesState(message) ? (this.#state ??= new DeviceState()).apply(message) : {};
    execution.before ??= before;
    execution.reports = code === undefined;
    if (code) {
      execution.state = 'failed';
      execution.code = code;
    }
    if (message.command === 'CONVERGE' && fate.driftsAfter !== undefined)
      this.#drift(message, execution, fate.driftsAfter);
  }

  /** Changes by itself, after a while, something that it was told to be. */
  #drift({ args }: CommandMessage, execution: Execution, afterMs: number): void {
    const reported = driftFrom(desiredOf(args));
    if (!reported) return;
    const report = () => {
      execution.reports = false;
      if (this.online) this.surroundings.say(this, 'report', { reported }, undefined);
    };
    // Nobody waits for it: the simulation may end before.
    setTimeout(report, afterMs).unref();
  }

  #answer(message: CommandMessage, execution: Execution, traceparent: string | undefined): void {
    const { report, status } = answerTo(message, execution, Date.now());
    if (report) this.surroundings.say(this, 'report', report, traceparent);
    this.#say(status, traceparent);
  }

  #say(status: StatusMessage, traceparent: string | undefined): void {
    this.surroundings.say(this, 'status', status, traceparent);
  }
}
