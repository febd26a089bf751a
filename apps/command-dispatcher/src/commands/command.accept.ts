import { deviceState, type CommandRequest } from '@muster/contracts';
import { Journal, type Tx } from '@muster/journal';
import { RpcClient } from '@muster/messaging';
import { Injectable } from '@nestjs/common';
import { LaneStore, type Presence } from '../lanes/lane.store.js';
import { CommandDispatch } from './command.dispatch.js';
import { CommandEnd, ENDED_COLUMNS, toEnded, type Ended } from './command.end.js';
import { CommandStore } from './command.store.js';
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
      const reachable = await this.lanes.lock(
        tx,
        items.map((item) => item.device_id),
      );
      const created = new Set(await this.create(tx, request, items));
      const repeated = items.filter((item) => !created.has(item.command_id)).map((item) => item.command_id);
      if (repeated.length > 0) await this.end.tell(tx, (await this.store.ended(tx, repeated)) as Ended[]);
      await this.endCancelled(tx, [...created]);
      await this.refuseUnknown(
        tx,
        items.filter((item) => created.has(item.command_id) && !reachable.has(item.device_id)),
      );
      await this.dispatch.dispatch(tx, [...reachable]);
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

  private create(tx: Tx, request: CommandRequest, items: readonly CommandItem[]): Promise<string[]> {
    const expiry = 'now() + make_interval(secs => i.offline_seconds)';
    return tx.create(
      commandTable,
      {
        id: items.map((item) => item.command_id),
        request_id: items.map(() => request.request_id),
        device_id: items.map((item) => item.device_id),
        ref: items.map((item) => item.ref),
        args: items.map((item) => item.args),
        priority: items.map(() => request.priority),
        in_progress_seconds: items.map(() => request.in_progress_seconds),
        offline_seconds: items.map(() => request.offline_seconds),
      },
      { expires_at: expiry, due_at: expiry },
    );
  }

  private async endCancelled(tx: Tx, ids: readonly string[]): Promise<void> {
    const cancelled = await this.store.takeCancelled(tx, ids);
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
