import {
  DomainError,
  jobWork,
  operationPartWork,
  operationRollouts,
  operationRolloutWork,
  type NewOperation,
  type PartEnd,
  type Rollout,
  type RolloutWait,
  type RpcRequest,
  type WorkHead,
  type WorkItem,
} from '@muster/contracts';
import { v7 as uuid } from 'uuid';
import { vi } from 'vitest';
import { PROJECT, type Asked, type RunningOperations } from './running-operations.js';

type Start = RpcRequest<typeof operationRollouts.startOperationRollout>;
type Stop = RpcRequest<typeof operationRollouts.stopOperationRollout>;
type Head = WorkHead<typeof operationRolloutWork.request>;
export type Turn = WorkItem<typeof operationRolloutWork.request>;
type Outcome = WorkItem<typeof jobWork.outcome>;

/** What the planner knows of a rollout. */
interface Known {
  over: boolean;
  reason: string;
  /** It ended by its `end_at`. */
  ranOut: boolean;
  waits_for: RolloutWait;
  ends: Map<string, PartEnd>;
}

/** job-planner, which the test is, as operations are rolled out by it. */
export class PlannerOfTest {
  readonly starts: Start[] = [];
  readonly stops: Stop[] = [];
  /** About how many parts one question was at most. */
  mostAskedAtOnce = 0;
  /** `away`: what is asked reaches nobody; `mute`: it is carried out, and its answer is lost. */
  mood: 'well' | 'away' | 'mute' = 'well';
  private readonly outcomes;
  private readonly steps;
  private readonly ended;
  private readonly known = new Map<string, Known>();

  constructor(private readonly running: RunningOperations) {
    const { service } = running.state;
    this.outcomes = service.hear(jobWork.outcome);
    this.steps = service.hear(jobWork.step);
    this.ended = service.hear(operationPartWork.ended);
    service.answer(operationRollouts.startOperationRollout, (start) => this.answer(() => this.starts.push(start), {}));
    service.answer(operationRollouts.stopOperationRollout, (stop) => this.answer(() => this.stops.push(stop), {}));
    service.answer(operationRollouts.operationPartEnds, ({ id, refs }) => {
      this.mostAskedAtOnce = Math.max(this.mostAskedAtOnce, refs.length);
      const { over, reason, ranOut, waits_for, ends } = this.rollout(id);
      const rest = ranOut
        ? { end: 'never_contacted' as const, reason: 'end_at has passed' }
        : { end: 'cancelled' as const, reason };
      const told = refs.flatMap((ref) => ends.get(ref) ?? []);
      return this.answer(() => undefined, { over, reason, rest, ends: told, waits_for: over ? null : waits_for });
    });
  }

  private answer<T>(carryOut: () => unknown, answer: T): T {
    const silence = new DomainError('unavailable', 'job-planner does not answer');
    if (this.mood === 'away') throw silence;
    carryOut();
    if (this.mood === 'mute') throw silence;
    return answer;
  }

  private rollout(id: string): Known {
    const known = this.known.get(id) ?? {
      over: false,
      reason: '',
      ranOut: false,
      waits_for: 'in_flight',
      ends: new Map<string, PartEnd>(),
    };
    this.known.set(id, known);
    return known;
  }

  /** Has an operation made and handed over. */
  async rollOut(
    devices: readonly string[],
    operation: Partial<NewOperation> = {},
    rollout: Rollout = {},
  ): Promise<string> {
    const id = await this.running.create(devices, { ...operation, rollout });
    await this.handedOver(id);
    return id;
  }

  async handedOver(id: string): Promise<void> {
    await vi.waitUntil(() => this.startsOf(id).length > 0);
    await this.running.reached(id, 'DISPATCHING');
  }

  startsOf = (id: string): Start[] => this.starts.filter((start) => start.id === id);
  stopsOf = (id: string): string[] => this.stops.filter((stop) => stop.id === id).map(({ reason }) => reason);

  /** The device operations that have not begun. */
  async parts(id: string): Promise<{ id: string; device_id: string; timezone: string }[]> {
    const page = { project_id: PROJECT, id, limit: 500 };
    return (await this.running.state.call(operationRollouts.listOperationParts, page)).parts;
  }

  /** The turn of device operations that have not begun, each with a command of its own. */
  async turns(id: string, devices?: readonly string[]): Promise<Turn[]> {
    const parts = (await this.parts(id)).filter(({ device_id }) => devices?.includes(device_id) ?? true);
    return parts.map((part) => ({ command_id: uuid(), device_id: part.device_id, ref: part.id, args: {}, turn: 1 }));
  }

  /** Says that their turn has come. */
  async request(id: string, items: readonly Turn[], head: Partial<Head> = {}): Promise<void> {
    const whole: Head = {
      request_id: id,
      command: 'REBOOT',
      args: {},
      in_progress_seconds: 600,
      offline_seconds: 900,
      priority: 0,
      reply_to: jobWork.outcome.subject,
      holds_to: jobWork.step.subject,
      ...head,
    };
    await this.running.state.service.ask(operationRolloutWork.request, {
      project_id: PROJECT,
      head: whole,
      items: [...items],
    });
  }

  /** Lets devices begin: all that have not, unless some are named. What command-dispatcher was asked for them. */
  async begin(id: string, devices?: readonly string[]): Promise<Asked[]> {
    const items = await this.turns(id, devices);
    await this.request(id, items);
    return this.askedFor(id, items);
  }

  /** What command-dispatcher was asked for these turns, once it was. */
  async askedFor(id: string, items: readonly Turn[]): Promise<Asked[]> {
    const commands = new Set(items.map(({ command_id }) => command_id));
    const asked = () => this.running.asked(id).filter(({ command_id }) => commands.has(command_id));
    await vi.waitUntil(() => asked().length === items.length);
    return asked();
  }

  async cancel(id: string, items: readonly Pick<Turn, 'command_id' | 'ref'>[], waiting_only?: boolean): Promise<void> {
    await this.running.state.service.ask(operationRolloutWork.cancel, {
      project_id: PROJECT,
      head: {
        request_id: id,
        reason: 'the planner says so',
        reply_to: jobWork.outcome.subject,
        ...(waiting_only !== undefined && { waiting_only }),
      },
      items: items.map(({ command_id, ref }) => ({ command_id, ref })),
    });
  }

  /** Knows how parts ended, and says so unless that word is lost. */
  async end(
    id: string,
    items: readonly { ref: string }[],
    end: PartEnd['end'],
    reason = '',
    lost = false,
  ): Promise<void> {
    const ends = items.map(({ ref }) => ({ ref, end, reason }));
    for (const one of ends) this.rollout(id).ends.set(one.ref, one);
    if (lost) return;
    await this.running.state.service.ask(operationRolloutWork.end, {
      project_id: PROJECT,
      head: { operation_id: id },
      items: ends,
    });
  }

  /** Knows that the rollout is over, and says so unless that word is lost. */
  async over(id: string, reason = '', lost = false): Promise<void> {
    Object.assign(this.rollout(id), { over: true, reason });
    if (lost) return;
    const items = [{ operation_id: id, reason }];
    await this.running.state.service.ask(operationRolloutWork.over, { project_id: PROJECT, head: {}, items });
  }

  /** The same by its `end_at`, which came before every device had its place. */
  async runOut(id: string): Promise<void> {
    this.rollout(id).ranOut = true;
    await this.over(id);
  }

  /** Knows what lets no further device begin, and says so unless that word is lost. */
  async waits(id: string, waits_for: RolloutWait, lost = false): Promise<void> {
    this.rollout(id).waits_for = waits_for;
    if (lost) return;
    const items = [{ operation_id: id, waits_for }];
    await this.running.state.service.ask(operationRolloutWork.waits, { project_id: PROJECT, head: {}, items });
  }

  /** What commands came to, as it was told. */
  told(id: string): Outcome[] {
    return this.outcomes.filter((batch) => batch.head.request_id === id).flatMap((batch) => batch.items);
  }

  async toldOf(id: string, { command_id }: Pick<Turn, 'command_id'>): Promise<Outcome> {
    return vi.waitUntil(() => this.told(id).find((one) => one.command_id === command_id));
  }

  /** What it was told of parts that users or services have ended, once for each. */
  async endedOf(id: string, { ref }: Pick<Turn, 'ref'>): Promise<PartEnd> {
    const told = () => this.ended.filter((batch) => batch.head.operation_id === id).flatMap((batch) => batch.items);
    return vi.waitUntil(() => told().findLast((one) => one.ref === ref));
  }

  /** The steps of commands that it was told, each as its command and the step. */
  stepsOf(id: string): string[] {
    return this.steps
      .filter((batch) => batch.head.request_id === id)
      .flatMap((batch) => batch.items.map(({ command_id, step }) => `${command_id} ${step}`));
  }

  /** Lets the sweep look again and again until a device operation is CANCELLED. */
  async lookUntilCancelled(id: string, device: string): Promise<void> {
    await vi.waitUntil(
      async () => {
        await this.look(id);
        return (await this.running.part(id, device)).state === 'CANCELLED';
      },
      { timeout: 15_000, interval: 200 },
    );
  }

  /** Lets the sweep look at an operation now, as it does all by itself within half a minute. */
  async look(id: string): Promise<void> {
    await this.running.state.query(`UPDATE operation SET wake_at = now() WHERE id = $1 AND wake_at IS NOT NULL`, [id]);
  }

  /** The same, where device operations have been silent for long. */
  async lookAtSilent(id: string): Promise<void> {
    await this.running.state.query(
      `UPDATE device_operation SET ask_at = now() WHERE operation_id = $1 AND ask_at IS NOT NULL`,
      [id],
    );
    await this.look(id);
  }

  /** Answers again, and has the operation looked at until it has gone on from where it stood with the planner. */
  async recover(id: string): Promise<void> {
    const stands = async () => {
      const [row] = await this.running.state.query<{ rollout_state: string }>(
        `SELECT rollout_state FROM operation WHERE id = $1`,
        [id],
      );
      return row!.rollout_state;
    };
    const before = await stands();
    this.mood = 'well';
    await vi.waitUntil(async () => {
      await this.lookAtSilent(id);
      return (await stands()) !== before;
    });
  }
}
