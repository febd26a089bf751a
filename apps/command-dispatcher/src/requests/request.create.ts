import {
  BATCH_SIZE,
  deviceState,
  DomainError,
  type CommandRequestDocument,
  invalidField,
  type NewCommandRequest,
} from '@muster/contracts';
import { RpcClient } from '@muster/messaging';
import { Injectable } from '@nestjs/common';
import { CommandAccept } from '../commands/command.accept.js';
import { CommandJournal } from '../commands/command.journal.js';
import { CommandStore } from '../commands/command.store.js';
import { checkedBody, commandRequestOf, narrowed, ofTargets, queryOf } from './request.body.js';
import { toDocument } from './request.document.js';
import { RequestExpand } from './request.expand.js';
import { RequestAdvance } from './request.advance.js';
import { UserRequestStore } from './user-request.store.js';

/** Most ids that an error lists. */
const LISTED = 20;

export interface Asked {
  project_id: string;
  id: string;
  request: NewCommandRequest;
  created_by: string;
  timezone: string;
}

/** Takes requests of users in. One that lists few devices is carried out at once, the others page by page. */
@Injectable()
export class RequestCreate {
  constructor(
    private readonly rpc: RpcClient,
    private readonly journal: CommandJournal,
    private readonly commands: CommandStore,
    private readonly accept: CommandAccept,
    private readonly expand: RequestExpand,
    private readonly advance: RequestAdvance,
    private readonly store: UserRequestStore,
  ) {}

  /**
   * @throws DomainError `invalid` naming the field: devices or groups that do not exist, what does not go together, a time that is over;
   * `conflict` when the id belongs to a request for something else.
   */
  async create({ project_id, id, request, created_by, timezone }: Asked): Promise<CommandRequestDocument> {
    const body = checkedBody(request, timezone, Date.now());
    await this.checkTargets(project_id, body);
    const { devices } = body;
    const page =
      devices && devices.length <= BATCH_SIZE ? await this.expand.listed(project_id, body, devices) : undefined;
    if (page)
      await this.accept.makeLanes(
        project_id,
        page.map((item) => item.device_id),
      );
    const isNew = await this.journal.transaction(project_id, async (tx) => {
      const asked = { id, body, timezone, created_by, expanded: page !== undefined };
      if (!(await this.store.insert(tx, asked))) return false;
      const shared = commandRequestOf(id, body, timezone);
      await this.commands.openRequest(tx, shared, true);
      if (page && page.length > 0) await this.accept.take(tx, shared, page, true);
      return true;
    });
    if (!isNew && !(await this.store.isFor(project_id, id, body)))
      throw new DomainError('conflict', `command request ${id} exists and asks for something else`);
    if (isNew && !page) this.advance.wake();
    return toDocument((await this.store.find(project_id, id))!);
  }

  private async checkTargets(project_id: string, body: NewCommandRequest): Promise<void> {
    const { devices } = body;
    if (!devices) {
      const query = narrowed(body, queryOf(body));
      await this.rpc.call(deviceState.resolve, { project_id, query, limit: 1 }).catch((error: unknown) => {
        throw ofTargets(error, body);
      });
      return;
    }
    const unknown: string[] = [];
    for (let at = 0; at < devices.length; at += BATCH_SIZE) {
      const ids = devices.slice(at, at + BATCH_SIZE);
      const { devices: known } = await this.rpc.call(deviceState.presence, { project_id, ids });
      const exist = new Set(known.map((device) => device.id));
      unknown.push(...ids.filter((id) => !exist.has(id)));
    }
    if (unknown.length === 0) return;
    const more = unknown.length > LISTED ? ` and ${unknown.length - LISTED} more` : '';
    throw invalidField('devices', `no such device: ${unknown.slice(0, LISTED).join(', ')}${more}`);
  }
}
