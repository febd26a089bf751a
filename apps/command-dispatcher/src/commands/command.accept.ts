import { deviceState, type CommandRequest } from '@muster/contracts';
import { Journal, type Tx } from '@muster/journal';
import { RpcClient } from '@muster/messaging';
import { Injectable } from '@nestjs/common';
import { LaneStore, type Presence } from '../lanes/lane.store.js';
import { CommandDispatch } from './command.dispatch.js';
import { CommandEnd, ENDED_COLUMNS, toEnded, type Ended } from './command.end.js';
import { CommandStore, resendAt, SENDABLE_COLUMNS } from './command.store.js';
import { commandTable } from './command.table.js';

export interface CommandItem {
  command_id: string;
  device_id: string;
  ref: string;
  args: Record<string, unknown>;
}

/** Takes commands in: queues them, and sends those whose device is idle and can be reached. */
@Injectable()
export class CommandAccept {
  constructor(
    private readonly journal: Journal,
    private readonly rpc: RpcClient,
    private readonly store: CommandStore,
    private readonly lanes: LaneStore,
    private readonly dispatch: CommandDispatch,
    private readonly end: CommandEnd,
  ) {}

  /** Up to 500 commands of one request. Commands that are known are not created again; of those that have ended the outcome is told again. */
  async accept(project: string, request: CommandRequest, items: readonly CommandItem[]): Promise<void> {
    const found = await this.lookUp(project, items);
    await this.journal.transaction(project, async (tx) => {
      await this.store.lockRequest(tx, request.request_id, 'accept');
      await this.store.saveRequest(tx, request);
      if (found.length > 0) await this.lanes.applyPresence(tx, found);
      const lanes = await this.lanes.lockIdle(tx, [...new Set(items.map((item) => item.device_id))]);
      const cancelled = await this.store.takeCancelled(
        tx,
        items.map((item) => item.command_id),
      );
      const [direct, queued] = this.split(items, lanes, new Set(cancelled.map(({ id }) => id)));
      const sent = await this.createSent(tx, request, direct, lanes);
      const waiting = await this.createQueued(tx, request, queued);
      const created = new Set([...sent, ...waiting]);
      const repeated = items.filter((item) => !created.has(item.command_id)).map((item) => item.command_id);
      if (repeated.length > 0) await this.end.tell(tx, (await this.store.ended(tx, repeated)) as Ended[]);
      await this.endCancelled(tx, cancelled);
      const unknown = queued.filter((item) => waiting.has(item.command_id) && !lanes.has(item.device_id));
      await this.refuseUnknown(tx, unknown);
      const served = new Set(direct.filter((item) => sent.has(item.command_id)).map((item) => item.device_id));
      await this.dispatch.dispatch(
        tx,
        [...lanes.keys()].filter((device) => !served.has(device)),
      );
    });
  }

  /** Of these devices, those that do not exist. */
  async unknownDevices(project: string, deviceIds: readonly string[]): Promise<string[]> {
    const { devices } = await this.rpc.call(deviceState.presence, { project_id: project, ids: [...deviceIds] });
    const known = new Set(devices.map((device) => device.id));
    return deviceIds.filter((id) => !known.has(id));
  }

  // Asked before the transaction: no lock is held while another service thinks.
  private async lookUp(project: string, items: readonly CommandItem[]): Promise<Presence[]> {
    const ids = await this.lanes.missing(project, [...new Set(items.map((item) => item.device_id))]);
    if (ids.length === 0) return [];
    const { devices } = await this.rpc.call(deviceState.presence, { project_id: project, ids });
    return devices.map(({ id, online, version }) => ({ device_id: id, online, version }));
  }

  /** Those that can be sent without ever waiting in a queue, the first of each idle device, and the rest. */
  private split(
    items: readonly CommandItem[],
    lanes: ReadonlyMap<string, { idle: boolean }>,
    cancelled: ReadonlySet<string>,
  ): [direct: CommandItem[], queued: CommandItem[]] {
    const direct = new Map<string, CommandItem>();
    for (const item of items) {
      if (!lanes.get(item.device_id)?.idle || cancelled.has(item.command_id)) continue;
      const first = direct.get(item.device_id);
      // The order of a queue: ids are UUIDv7, made by whoever asked.
      if (!first || item.command_id < first.command_id) direct.set(item.device_id, item);
    }
    const isDirect = new Set(direct.values());
    return [[...isDirect], items.filter((item) => !isDirect.has(item))];
  }

  private async createSent(
    tx: Tx,
    request: CommandRequest,
    items: readonly CommandItem[],
    lanes: ReadonlyMap<string, { fence: number }>,
  ): Promise<Set<string>> {
    const created = await tx.create(
      commandTable,
      {
        ...columnsOf(request, items),
        attempt: items.map(() => 1),
        sends: items.map(() => 1),
        fence: items.map((item) => lanes.get(item.device_id)!.fence),
      },
      {
        compute: { expires_at: EXPIRY, deadline: DEADLINE, due_at: resendAt(DEADLINE, '1') },
        through: ['INITIATED'],
        returning: SENDABLE_COLUMNS,
      },
    );
    await this.dispatch.sendNew(tx, created);
    return new Set(created.map(({ id }) => id));
  }

  private async createQueued(tx: Tx, request: CommandRequest, items: readonly CommandItem[]): Promise<Set<string>> {
    const compute = { expires_at: EXPIRY, due_at: EXPIRY };
    const created = await tx.create(commandTable, columnsOf(request, items), { compute });
    return new Set(created.map(({ id }) => id));
  }

  private async endCancelled(tx: Tx, cancelled: readonly { id: string; reason: string }[]): Promise<void> {
    const moved = await tx.transition(commandTable, 'CANCELLED', {
      ids: cancelled.map((command) => command.id),
      each: { reason: cancelled.map((command) => command.reason) },
      set: { code: 'cancelled', due_at: null },
      returning: ENDED_COLUMNS,
    });
    await this.end.tell(tx, toEnded('CANCELLED', moved));
  }

  private async refuseUnknown(tx: Tx, items: readonly CommandItem[]): Promise<void> {
    const moved = await tx.transition(commandTable, 'FAILURE', {
      ids: items.map((item) => item.command_id),
      set: { reason: 'the device does not exist', code: 'unknown_device', due_at: null },
      returning: ENDED_COLUMNS,
    });
    await this.end.tell(tx, toEnded('FAILURE', moved));
  }
}

const EXPIRY = 'now() + make_interval(secs => i.offline_seconds)';
const DEADLINE = 'now() + make_interval(secs => i.in_progress_seconds)';

const columnsOf = (request: CommandRequest, items: readonly CommandItem[]) => ({
  id: items.map((item) => item.command_id),
  request_id: items.map(() => request.request_id),
  device_id: items.map((item) => item.device_id),
  ref: items.map((item) => item.ref),
  args: items.map((item) => item.args),
  priority: items.map(() => request.priority),
  in_progress_seconds: items.map(() => request.in_progress_seconds),
  offline_seconds: items.map(() => request.offline_seconds),
});
