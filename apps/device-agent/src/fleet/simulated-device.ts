import type { CancelMessage, CommandMessage, StatusMessage } from '@muster/contracts';
import { decideCommand } from '../device/command.decision.js';
import { answerTo, failure } from './answer.js';
import { fateOf, type Behaviour } from './behaviour.js';
import { DeviceMemory, type Execution } from './device.memory.js';

/** A device as it is registered. */
export interface DeviceIdentity {
  id: string;
  name: string;
}

/** What a simulated device has at hand. */
export interface DeviceSurroundings {
  behaviour: Behaviour;
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

  constructor(
    { id, name }: DeviceIdentity,
    readonly surroundings: DeviceSurroundings,
  ) {
    this.id = id;
    this.name = name;
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
    this.#memory.remember({ commandId: command_id, fence, state: 'failed', code: 'cancelled', timer: undefined });
    this.surroundings.ended(this, command_id, fence, 'failure');
    this.#say(failure(message, 'cancelled'), traceparent);
  }

  stop(): void {
    this.#memory.stop();
  }

  #execute(message: CommandMessage, traceparent: string | undefined): void {
    const { command_id, fence } = message;
    const fate = fateOf(this.surroundings.behaviour, this.name, command_id, fence);
    const execution: Execution = { commandId: command_id, fence, state: 'running', code: undefined, timer: undefined };
    const again = this.#memory.remember(execution);
    this.surroundings.executed(this, command_id, fence, again);

    const acknowledged: StatusMessage = { command_id, fence, status: 'acknowledged' };
    if (!fate.reordered && fate.latency >= ACKNOWLEDGED_FROM_MS) this.#say(acknowledged, traceparent);
    execution.timer = setTimeout(() => {
      execution.timer = undefined;
      execution.state = fate.fails ? 'failed' : 'succeeded';
      if (fate.fails) execution.code = 'simulated';
      this.surroundings.ended(this, command_id, execution.fence, fate.fails ? 'failure' : 'success');
      const asked = { ...message, fence: execution.fence };
      this.#answer(asked, execution, traceparent);
      if (fate.duplicated) this.#answer(asked, execution, traceparent);
      if (fate.reordered) this.#say(acknowledged, traceparent);
    }, fate.latency);
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
