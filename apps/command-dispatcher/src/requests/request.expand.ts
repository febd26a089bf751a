import { BATCH_SIZE, deviceState, DomainError, type NewCommandRequest, type RpcResponse } from '@muster/contracts';
import { RpcClient } from '@muster/messaging';
import { Injectable } from '@nestjs/common';
import { v7 as uuid } from 'uuid';
import { CommandAccept, type CommandItem } from '../commands/command.accept.js';
import { CommandJournal } from '../commands/command.journal.js';
import { CommandStore } from '../commands/command.store.js';
import { commandRequestOf, narrowed, ofTargets, queryOf } from './request.body.js';
import { UserRequestStore, type UserRequest } from './user-request.store.js';

interface Page {
  items: CommandItem[];
  cursor: string;
  last: boolean;
}

/** Turns a user's request into commands, a page of devices at a time: a page and how far it came are one transaction, so no device gets two. */
@Injectable()
export class RequestExpand {
  constructor(
    private readonly rpc: RpcClient,
    private readonly journal: CommandJournal,
    private readonly commands: CommandStore,
    private readonly accept: CommandAccept,
    private readonly store: UserRequestStore,
  ) {}

  /** The page after the request's cursor; nothing if somebody else was faster, or the request is cancelled by now. */
  async nextPage(request: UserRequest): Promise<void> {
    const { project_id, id, body } = request;
    const page = await this.page(request).catch((error: unknown) => {
      // A group that was deleted since, for one: it will not come back by trying again.
      if (error instanceof DomainError && error.kind === 'invalid') return ofTargets(error, body) as DomainError;
      throw error;
    });
    if (page instanceof DomainError) {
      // Half of it would look like all of it: what was made is cancelled, as when a user does it.
      await this.journal.transaction(project_id, (tx) => this.store.cancelUnexpanded(tx, request, page.message));
      return;
    }
    const shared = commandRequestOf(id, body, request.timezone);
    await this.accept.makeLanes(
      project_id,
      page.items.map((item) => item.device_id),
    );
    await this.journal.transaction(project_id, async (tx) => {
      await this.commands.openRequest(tx, shared, true);
      const now = await this.store.lock(tx, id);
      if (!now || now.expanded || now.cancelled_at || now.cursor !== request.cursor) return;
      if (page.items.length > 0) await this.accept.take(tx, shared, page.items, true);
      await this.store.saveCursor(tx, id, page.cursor, page.last);
    });
  }

  /** A command for each of these listed devices that the request is for. */
  async listed(project_id: string, body: NewCommandRequest, ids: readonly string[]): Promise<CommandItem[]> {
    const { device_type = 'all', schedule_args } = body;
    if (device_type === 'all' && schedule_args?.time_type !== 'device') return ids.map((id) => itemOf(id));
    const query = narrowed(body, { ids: [...ids] });
    const { devices } = await this.rpc.call(deviceState.resolve, { project_id, query, limit: BATCH_SIZE });
    return itemsOf(devices);
  }

  private async page({ project_id, body, cursor }: UserRequest): Promise<Page> {
    if (body.devices) {
      const from = Number(cursor || 0);
      const ids = body.devices.slice(from, from + BATCH_SIZE);
      const next = from + ids.length;
      const items = await this.listed(project_id, body, ids);
      return { items, cursor: String(next), last: next >= body.devices.length };
    }
    const { devices, next } = await this.rpc.call(deviceState.resolve, {
      project_id,
      query: narrowed(body, queryOf(body)),
      limit: BATCH_SIZE,
      ...(cursor && { after: cursor }),
    });
    return { items: itemsOf(devices), cursor: next ?? cursor, last: next === null };
  }
}

const itemsOf = (devices: RpcResponse<typeof deviceState.resolve>['devices']): CommandItem[] =>
  devices.map((device) => ({ ...itemOf(device.id), timezone: device.timezone }));

function itemOf(device_id: string): CommandItem {
  const command_id = uuid();
  return { command_id, device_id, ref: command_id, args: {} };
}
