import {
  commandDispatcher,
  COUNTED,
  DomainError,
  type Command,
  type RpcRequest,
  type RpcResponse,
} from '@muster/contracts';
import { Rpc } from '@muster/messaging';
import { Controller } from '@nestjs/common';
import { CommandCancel } from './command.cancel.js';
import { CommandJournal } from './command.journal.js';
import { CommandQuery } from './command.query.js';
import { CommandStore } from './command.store.js';

/** Questions about commands. */
@Controller()
export class CommandsRpc {
  constructor(
    private readonly journal: CommandJournal,
    private readonly store: CommandStore,
    private readonly cancellation: CommandCancel,
    private readonly query: CommandQuery,
  ) {}

  @Rpc(commandDispatcher.getCommand)
  async getCommand({ project_id, id }: RpcRequest<typeof commandDispatcher.getCommand>): Promise<Command> {
    const [command] = await this.query.list(project_id, { ids: [id] }, 1, 0);
    if (!command) throw new DomainError('not_found', `command ${id} does not exist`);
    return command;
  }

  @Rpc(commandDispatcher.listCommands)
  async listCommands({
    project_id,
    limit,
    offset,
    ...filter
  }: RpcRequest<typeof commandDispatcher.listCommands>): Promise<RpcResponse<typeof commandDispatcher.listCommands>> {
    const [commands, count] = await Promise.all([
      this.query.list(project_id, filter, limit, offset),
      this.query.count(project_id, filter, offset + limit + COUNTED),
    ]);
    return { count, commands };
  }

  @Rpc(commandDispatcher.cancelCommand)
  async cancelCommand({
    project_id,
    id,
    reason,
  }: RpcRequest<typeof commandDispatcher.cancelCommand>): Promise<Command> {
    await this.journal.transaction(project_id, async (tx) => {
      await this.cancellation.cancelOpen(tx, await this.store.devicesOf(tx, [id]), reason);
    });
    return this.getCommand({ project_id, id });
  }
}
