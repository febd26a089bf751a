import { deviceState, type CommandRequest } from '@muster/contracts';
import { Journal, type Tx } from '@muster/journal';
import { RpcClient } from '@muster/messaging';
import { Injectable } from '@nestjs/common';
import { LaneStore } from '../lanes/lane.store.js';
import { CommandDispatch } from './command.dispatch.js';
import { CommandEnd, ENDED_COLUMNS, toEnded, type Ended } from './command.end.js';
import { CommandSender } from './command.sender.js';
import { CommandStore, deadlineOf, resendAt, SENDABLE_COLUMNS, type Sendable } from './command.store.js';
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
    private readonly sender: CommandSender,
    private readonly end: CommandEnd,
  ) {}

  /** Up to 500 commands of one request. Commands that are known are not created again; of those that have ended the outcome is told again. */
  async accept(project: string, request: CommandRequest, items: readonly CommandItem[]): Promise<void> {
    await this.makeLanes(project, items);
    await this.journal.transaction(project, async (tx) => {
      await this.store.openRequest(tx, request);
      const ids = items.map((item) => item.command_id);
      const { existing, cancelled } = await this.store.known(tx, ids);
      const firsts = firstOfEachDevice(items, (id) => existing.has(id) || cancelled.has(id));
      const devices = [...new Set(items.map((item) => item.device_id))];
      const lanes = await this.lanes.offer(
        tx,
        devices.map((device_id) => ({ device_id, command_id: firsts.get(device_id)?.command_id ?? null })),
      );
      const direct = [...firsts.values()].filter((item) => lanes.get(item.device_id) != null);
      const sent = await this.createSent(tx, request, direct, lanes);
      const queued = await this.createQueued(
        tx,
        request,
        items.filter((item) => !sent.has(item.command_id) && !existing.has(item.command_id)),
      );
      const repeated = ids.filter((id) => !sent.has(id) && !queued.has(id));
      if (repeated.length > 0) await this.end.tell(tx, (await this.store.ended(tx, repeated)) as Ended[]);
      await this.endCancelled(tx, cancelled);
      await this.refuseUnknown(
        tx,
        items.filter((item) => queued.has(item.command_id) && !lanes.has(item.device_id)),
      );
      const served = new Set(direct.filter((item) => sent.has(item.command_id)).map((item) => item.device_id));
      await this.dispatch.dispatch(
        tx,
        devices.filter((device) => lanes.has(device) && !served.has(device)),
      );
    });
  }

  /** Of these devices, those that do not exist. */
  async unknownDevices(project: string, deviceIds: readonly string[]): Promise<string[]> {
    const { devices } = await this.rpc.call(deviceState.presence, { project_id: project, ids: [...deviceIds] });
    const known = new Set(devices.map((device) => device.id));
    return deviceIds.filter((id) => !known.has(id));
  }

  // Asked before the transaction, so that no lock is held while another service thinks; noted in one of its own, so that lanes are taken in
  // one pass afterwards.
  private async makeLanes(project: string, items: readonly CommandItem[]): Promise<void> {
    const ids = await this.lanes.missing(project, [...new Set(items.map((item) => item.device_id))]);
    if (ids.length === 0) return;
    const { devices } = await this.rpc.call(deviceState.presence, { project_id: project, ids });
    const presence = devices.map(({ id, online, version }) => ({ device_id: id, online, version }));
    await this.journal.transaction(project, (tx) => this.lanes.applyPresence(tx, presence));
  }

  private async createSent(
    tx: Tx,
    request: CommandRequest,
    items: readonly CommandItem[],
    lanes: ReadonlyMap<string, number | null>,
  ): Promise<Set<string>> {
    const created = await tx.create(
      commandTable,
      {
        ...columnsOf(request, items),
        attempt: items.map(() => 1),
        sends: items.map(() => 1),
        fence: items.map((item) => lanes.get(item.device_id)),
      },
      {
        compute: { expires_at: EXPIRY, deadline: DEADLINE, due_at: resendAt(DEADLINE, '0') },
        through: ['INITIATED'],
        returning: SENDABLE_COLUMNS,
      },
    );
    await this.sender.send(
      tx,
      created.map(({ id, row }) => ({ ...row, id }) as Sendable),
    );
    const ids = new Set(created.map(({ id }) => id));
    // Another delivery of the same batch made them since this one looked.
    const late = items.filter((item) => !ids.has(item.command_id));
    if (late.length > 0) await this.lanes.withdraw(tx, late);
    return ids;
  }

  private async createQueued(tx: Tx, request: CommandRequest, items: readonly CommandItem[]): Promise<Set<string>> {
    const compute = { expires_at: EXPIRY, due_at: EXPIRY };
    const created = await tx.create(commandTable, columnsOf(request, items), { compute });
    return new Set(created.map(({ id }) => id));
  }

  private async endCancelled(tx: Tx, cancelled: ReadonlyMap<string, string>): Promise<void> {
    const moved = await tx.transition(commandTable, 'CANCELLED', {
      ids: [...cancelled.keys()],
      each: { reason: [...cancelled.values()] },
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

/** Of each device the command whose turn would be first; ids are UUIDv7, made by whoever asked. */
function firstOfEachDevice(
  items: readonly CommandItem[],
  isLeftOut: (commandId: string) => boolean,
): Map<string, CommandItem> {
  const firsts = new Map<string, CommandItem>();
  for (const item of items) {
    const first = firsts.get(item.device_id);
    if (!isLeftOut(item.command_id) && (!first || item.command_id < first.command_id)) firsts.set(item.device_id, item);
  }
  return firsts;
}

const EXPIRY = 'now() + make_interval(secs => i.offline_seconds)';
const DEADLINE = deadlineOf('i');

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
