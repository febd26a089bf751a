import { deviceState, type CommandRequest } from '@muster/contracts';
import type { Tx } from '@muster/journal';
import { RpcClient } from '@muster/messaging';
import { Injectable } from '@nestjs/common';
import { CommandJournal } from './command.journal.js';
import { LaneStore, type Offered } from '../lanes/lane.store.js';
import { CommandDispatch } from './command.dispatch.js';
import { CommandEnd, ENDED_COLUMNS, toEnded, type Ended } from './command.end.js';
import { CommandSender } from './command.sender.js';
import { CommandStore, deadlineOf, resendAt, SENDABLE_COLUMNS, type Sendable } from './command.store.js';
import { CommandSchedule } from './command.schedule.js';
import { commandTable } from './command.table.js';
import { CommandHold } from './command.hold.js';
import { EXPIRY, expiresAtOf, latest } from './command.expiry.js';
import { mayGoAtOnce, termsOf } from './terms.js';
import { DeviceLocks } from '../locks/device.locks.js';

export interface CommandItem {
  command_id: string;
  device_id: string;
  ref: string;
  args: Record<string, unknown>;
  timezone?: string;
  expires_at?: string;
  turn?: number;
}

/** Takes commands in: queues them, and sends those whose device is idle and can be reached. */
@Injectable()
export class CommandAccept {
  constructor(
    private readonly journal: CommandJournal,
    private readonly rpc: RpcClient,
    private readonly store: CommandStore,
    private readonly lanes: LaneStore,
    private readonly dispatch: CommandDispatch,
    private readonly sender: CommandSender,
    private readonly end: CommandEnd,
    private readonly schedule: CommandSchedule,
    private readonly locks: DeviceLocks,
    private readonly hold: CommandHold,
  ) {}

  /**
   * Up to 500 commands of one request. Commands that are known are not created again; of those that have ended the outcome is told again, and those
   * that are held take their turn if their devices are online.
   */
  async accept(project: string, request: CommandRequest, items: readonly CommandItem[]): Promise<void> {
    await this.makeLanes(
      project,
      items.map((item) => item.device_id),
    );
    await this.journal.transaction(project, async (tx) => {
      await this.store.openRequest(tx, request, false);
      await this.take(tx, request, items, false);
    });
  }

  /** The same within a transaction, which has opened the request; the devices' lanes are made. `byUser`: whether the request keeps counts. */
  async take(tx: Tx, request: CommandRequest, items: readonly CommandItem[], byUser: boolean): Promise<void> {
    const terms = termsOf(request);
    const ids = items.map((item) => item.command_id);
    const { existing, cancelled } = await this.store.known(tx, ids);
    const now = Date.now();
    const firsts = firstOfEachDevice(
      items.filter(
        (item) =>
          !existing.has(item.command_id) &&
          !cancelled.has(item.command_id) &&
          mayGoAtOnce(terms, expiresAtOf(request, item), now),
      ),
    );
    const devices = [...new Set(items.map((item) => item.device_id))];
    const lanes = await this.lanes.offer(
      tx,
      devices.map((device_id) => ({ device_id, command_id: firsts.get(device_id)?.command_id ?? null })),
      terms.holds_to !== undefined,
    );
    const direct = [...firsts.values()].filter((item) => lanes.get(item.device_id)?.fence != null);
    const sent = await this.createSent(tx, request, direct, lanes, byUser);
    const rest = items.filter((item) => !sent.has(item.command_id) && !existing.has(item.command_id));
    const waiting = await this.createWaiting(tx, request, rest, lanes, byUser);
    const repeated = new Set(ids.filter((id) => !sent.has(id) && !waiting.has(id)));
    if (repeated.size > 0) await this.end.tell(tx, (await this.store.ended(tx, [...repeated])) as Ended[]);
    await this.endCancelled(tx, cancelled);
    if (terms.holds_to !== undefined) {
      const created = rest.filter((item) => waiting.has(item.command_id) && !cancelled.has(item.command_id));
      const again = items.filter((item) => repeated.has(item.command_id));
      await this.holdOffline(tx, request.request_id, lanes, created, again);
    }
    await this.refuseUnknown(
      tx,
      items.filter((item) => waiting.has(item.command_id) && !lanes.has(item.device_id)),
    );
    const reached = devices.filter((device) => lanes.has(device));
    if (terms.concurrent) await this.lanes.expectConcurrent(tx, reached);
    if (terms.lock_owner !== undefined) await this.end.tell(tx, await this.locks.failLost(tx, reached));
    const served = new Set(direct.filter((item) => sent.has(item.command_id)).map((item) => item.device_id));
    await this.dispatch.dispatch(
      tx,
      reached.filter((device) => !served.has(device)),
    );
  }

  /**
   * Gives those of these devices a lane that have none and exist. Asked before the transaction, so that no lock is held while another service
   * thinks; noted in one of its own, so that lanes are taken in one pass afterwards.
   */
  async makeLanes(project: string, deviceIds: readonly string[]): Promise<void> {
    const ids = await this.lanes.missing(project, [...new Set(deviceIds)]);
    if (ids.length === 0) return;
    const { devices } = await this.rpc.call(deviceState.presence, { project_id: project, ids });
    const presence = devices.map(({ id, online, version }) => ({ device_id: id, online, version }));
    await this.journal.transaction(project, async (tx) => void (await this.lanes.applyPresence(tx, presence)));
  }

  private async createSent(
    tx: Tx,
    request: CommandRequest,
    items: readonly CommandItem[],
    lanes: ReadonlyMap<string, Offered>,
    byUser: boolean,
  ): Promise<Set<string>> {
    const created = await tx.create(
      commandTable,
      {
        ...columnsOf(request, items, byUser, lanes),
        attempt: items.map(() => 1),
        sends: items.map(() => 1),
        fence: items.map((item) => lanes.get(item.device_id)!.fence),
      },
      {
        compute: { expires_at: EXPIRY, deadline: DEADLINE, due_at: resendAt(DEADLINE, '0') },
        given: latest(items.map((item) => expiresAtOf(request, item))),
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

  private async createWaiting(
    tx: Tx,
    request: CommandRequest,
    items: readonly CommandItem[],
    lanes: ReadonlyMap<string, Offered>,
    byUser: boolean,
  ): Promise<Set<string>> {
    const { schedule } = request;
    const isScheduled = (item: CommandItem) => schedule !== undefined && lanes.has(item.device_id);
    const plain = items.filter((item) => !isScheduled(item));
    const queued = await tx.create(commandTable, columnsOf(request, plain, byUser, lanes), {
      compute: { expires_at: EXPIRY, due_at: EXPIRY },
      given: latest(plain.map((item) => expiresAtOf(request, item))),
    });
    const ids = new Set(queued.map(({ id }) => id));
    const scheduled = items.filter(isScheduled);
    if (schedule && scheduled.length > 0) {
      const { created, ended } = await this.schedule.create(
        tx,
        schedule,
        columnsOf(request, scheduled, byUser, lanes),
        scheduled.map((item) => ({ timezone: item.timezone ?? 'UTC', latest: expiresAtOf(request, item) })),
      );
      for (const id of created) ids.add(id);
      await this.end.tell(tx, ended);
    }
    return ids;
  }

  /** Tells what is held of those that were `created` waiting; those that came again are held no more where the device is online. */
  private async holdOffline(
    tx: Tx,
    request_id: string,
    lanes: ReadonlyMap<string, Offered>,
    created: readonly CommandItem[],
    repeated: readonly CommandItem[],
  ): Promise<void> {
    const held = created.filter((item) => isAway(lanes, item));
    await this.hold.tellHeld(
      tx,
      held.map(({ command_id, ref, turn = 0 }) => ({ id: command_id, ref, request_id, traceparent: null, turn })),
    );
    const reached = repeated.filter((item) => lanes.has(item.device_id));
    await this.hold.askAgain(
      tx,
      reached.map((item) => ({ ...item, online: !isAway(lanes, item) })),
    );
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
function firstOfEachDevice(items: readonly CommandItem[]): Map<string, CommandItem> {
  const firsts = new Map<string, CommandItem>();
  for (const item of items) {
    const first = firsts.get(item.device_id);
    if (!first || item.command_id < first.command_id) firsts.set(item.device_id, item);
  }
  return firsts;
}

const isAway = (lanes: ReadonlyMap<string, Offered>, { device_id }: CommandItem): boolean =>
  lanes.get(device_id)?.online === false;

const DEADLINE = deadlineOf('i');

function columnsOf(
  request: CommandRequest,
  items: readonly CommandItem[],
  byUser: boolean,
  lanes: ReadonlyMap<string, Offered>,
) {
  const { concurrent, retry, lock_owner, holds_to } = termsOf(request);
  const all = <T>(value: T) => items.map(() => value);
  return {
    id: items.map((item) => item.command_id),
    request_id: all(request.request_id),
    device_id: items.map((item) => item.device_id),
    ref: items.map((item) => item.ref),
    args: items.map((item) => item.args),
    priority: all(request.priority),
    in_progress_seconds: all(request.in_progress_seconds),
    offline_seconds: all(request.offline_seconds),
    ...(holds_to !== undefined && {
      hold_offline: all(true),
      held: items.map((item) => isAway(lanes, item)),
      turn: items.map((item) => item.turn ?? 0),
    }),
    // What few requests ask for has a default, and costs the others nothing.
    ...(byUser && { by_user: all(true) }),
    ...(retry && { retries: all(true) }),
    ...(concurrent && { concurrent: all(true) }),
    ...(lock_owner !== undefined && { lock_owner: all(lock_owner) }),
  };
}
