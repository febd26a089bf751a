import {
  commandWork,
  deviceState,
  operations,
  operationWork,
  waitings,
  type CommandOutcome,
  type DeviceOperation,
  type DeviceOperationState,
  type JsonObject,
  type NewDevice,
  type NewOperation,
  type Operation,
  type OperationState,
  type WaitingEntry,
  type WorkItem,
} from '@muster/contracts';
import { v7 as uuid } from 'uuid';
import { expect, vi } from 'vitest';
import { wasSent } from '../device-operations/device-operation.way.js';
import { RunningDeviceState } from './running-device-state.js';

export const PROJECT = 'acme';
export const MAKER = '01890000-0000-7000-8000-00000000aaaa';

export type Asked = WorkItem<typeof commandWork.request>;
type Step = WorkItem<typeof operationWork.step>['step'];

/** The real device-state with operations; the test is the devices, the gateway and command-dispatcher. */
export class RunningOperations {
  readonly requests;
  readonly cancels;

  private constructor(readonly state: RunningDeviceState) {
    this.requests = state.service.hear(commandWork.request);
    this.cancels = state.service.hear(commandWork.cancel);
  }

  static async start(): Promise<RunningOperations> {
    const running = new RunningOperations(await RunningDeviceState.start());
    await running.state.service.connection.flush();
    return running;
  }

  stop(): Promise<void> {
    return this.state.stop();
  }

  /** Registers devices and gives their ids in their order. */
  async devices(count: number, device: Partial<NewDevice> = {}): Promise<string[]> {
    const devices = Array.from({ length: count }, () => uuid()).map((id) => ({
      id,
      device: { name: `device-${id}`, ...device },
    }));
    for (let at = 0; at < count; at += 500)
      await this.state.call(deviceState.registerDevices, { project_id: PROJECT, devices: devices.slice(at, at + 500) });
    return devices.map(({ id }) => id);
  }

  async create(ids: readonly string[], operation: Partial<NewOperation> = {}): Promise<string> {
    const { id } = await this.ask({ operation_device_query: { ids: [...ids] }, ...operation });
    return id;
  }

  ask(operation: Partial<NewOperation>, id: string = uuid()): Promise<Operation> {
    return this.state.call(operations.createOperation, {
      project_id: PROJECT,
      id,
      operation: { operation: 'REBOOT', operation_device_query: {}, ...operation },
      created_by: MAKER,
      timezone: 'Europe/Paris',
    });
  }

  operation(id: string): Promise<Operation> {
    return this.state.call(operations.getOperation, { project_id: PROJECT, id });
  }

  part(operation_id: string, device_id: string): Promise<DeviceOperation> {
    return this.state.call(operations.getDeviceOperation, { project_id: PROJECT, operation_id, device_id });
  }

  parts(operation_id: string, state?: DeviceOperationState) {
    return this.state.call(operations.listDeviceOperations, {
      project_id: PROJECT,
      operation_id,
      ...(state && { state }),
      limit: 1000,
      offset: 0,
    });
  }

  cancel(id: string, reason = 'no longer wanted') {
    return this.state.call(operations.cancelOperation, { project_id: PROJECT, id, reason, by: MAKER });
  }

  cancelDevice(operation_id: string, device_id: string) {
    const key = { project_id: PROJECT, operation_id, device_id };
    return this.state.call(operations.cancelDeviceOperation, { ...key, reason: 'not this' });
  }

  /** What an operation or a device operation that has not ended waits for. */
  async waitsFor(id: string): Promise<WaitingEntry['waits_for'] | undefined> {
    const { entries } = await this.state.call(waitings['device-state'], { project_id: PROJECT, limit: 1000 });
    return entries.find((one) => one.id === id)?.waits_for;
  }

  /** Commands that were asked for, each once, in order. */
  asked(id: string): Asked[] {
    const all = this.requests.filter((batch) => batch.head.request_id === id).flatMap((batch) => batch.items);
    return [...new Map(all.map((item) => [item.command_id, item])).values()];
  }

  async askedFor(id: string, count: number): Promise<Asked[]> {
    await vi.waitUntil(() => this.asked(id).length >= count, { timeout: 15_000 });
    return this.asked(id);
  }

  /** Ids of commands whose cancel was asked for. */
  cancelled(id: string): string[] {
    return this.cancels
      .filter((batch) => batch.head.request_id === id)
      .flatMap((batch) => batch.items.map(({ command_id }) => command_id));
  }

  /** Answers commands as command-dispatcher does. */
  async answer(id: string, items: readonly Asked[], status: CommandOutcome = 'SUCCESS', code = ''): Promise<void> {
    const outcomes = items.map(({ command_id, ref }) => ({
      command_id,
      ref,
      status,
      reason: '',
      code,
      sent: wasSent(status, code),
    }));
    await this.state.service.ask(operationWork.outcome, {
      project_id: PROJECT,
      head: { request_id: id },
      items: outcomes,
    });
  }

  /** Tells a step of commands as command-dispatcher does. */
  async step(id: string, items: readonly Asked[], step: Step): Promise<void> {
    const steps = items.map(({ command_id, ref }) => ({ command_id, ref, step }));
    await this.state.service.ask(operationWork.step, { project_id: PROJECT, head: { request_id: id }, items: steps });
  }

  report(device: string, reported: JsonObject): void {
    this.state.say(PROJECT, device, 'report', { reported });
  }

  async reached(id: string, ...states: OperationState[]): Promise<Operation> {
    return this.until(
      () => this.operation(id),
      ({ state }) => states.includes(state),
    );
  }

  async partReached(id: string, device: string, state: DeviceOperationState): Promise<DeviceOperation> {
    return this.until(
      () => this.part(id, device),
      (part) => part.state === state,
    );
  }

  async until<T>(look: () => Promise<T>, fits: (seen: T) => boolean): Promise<T> {
    let last: T | undefined;
    await vi.waitUntil(
      async () => {
        last = await look();
        return fits(last);
      },
      { timeout: 15_000, interval: 20 },
    );
    return last!;
  }

  counts = async (id: string) => (await this.operation(id)).operation_stats.device_operation_statuses_count;

  /** The counts of the operation as the rows of its device operations say, counted again from what each has been through. */
  async recount(id: string): Promise<Operation['operation_stats']['device_operation_statuses_count']> {
    const [row] = await this.state.query<Record<string, number>>(
      `SELECT count(*)::int AS resolved,
              count(*) FILTER (WHERE sent)::int AS sent,
              count(*) FILTER (WHERE state IN ('FAILURE', 'TIMEOUT') AND NOT sent)::int AS unsent,
              count(*) FILTER (WHERE state IN ('FAILURE', 'TIMEOUT') AND sent)::int AS failed,
              count(*) FILTER (WHERE state = 'SUCCESS')::int AS succeeded
       FROM (SELECT state, activity @> '[{"state":"DISPATCHED"}]' AS sent FROM device_operation WHERE operation_id = $1) o`,
      [id],
    );
    return {
      resolved_device_count: row!['resolved']!,
      dispatched_device_count: row!['sent']!,
      dispatch_failed_count: row!['unsent']!,
      failed_device_count: row!['failed']!,
      success_device_count: row!['succeeded']!,
    };
  }

  /** That the counts are what the rows say, those by state too. */
  async exact(id: string): Promise<void> {
    await this.state.query('BEGIN ISOLATION LEVEL REPEATABLE READ');
    try {
      await this.compare(id);
    } finally {
      await this.state.query('COMMIT');
    }
  }

  private async compare(id: string): Promise<void> {
    const [kept] = await this.state.query<Record<string, number>>(`SELECT * FROM operation WHERE id = $1`, [id]);
    const rows = await this.state.query<{ state: string; n: number; stopping: number }>(
      `SELECT state, count(*)::int AS n, count(*) FILTER (WHERE cancel_requested AND due_at IS NOT NULL)::int AS stopping
       FROM device_operation WHERE operation_id = $1 GROUP BY state`,
      [id],
    );
    const recounted = await this.recount(id);
    expect({
      dispatched_device_count: kept!['sent'],
      dispatch_failed_count: kept!['unsent'],
      failed_device_count: kept!['in_failure']! + kept!['in_timeout']! - kept!['unsent']!,
    }).toEqual({
      dispatched_device_count: recounted.dispatched_device_count,
      dispatch_failed_count: recounted.dispatch_failed_count,
      failed_device_count: recounted.failed_device_count,
    });
    const names = Object.keys(kept!).filter((name) => name.startsWith('in_'));
    const byState = new Map(rows.map(({ state, n }) => [`in_${state.toLowerCase()}`, n]));
    expect(Object.fromEntries(names.map((name) => [name, kept![name]]))).toEqual(
      Object.fromEntries(names.map((name) => [name, byState.get(name) ?? 0])),
    );
    expect(kept!['stopping']).toBe(rows.reduce((sum, { stopping }) => sum + stopping, 0));
  }
}
