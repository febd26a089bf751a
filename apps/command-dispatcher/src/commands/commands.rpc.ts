import { commandDispatcher, DomainError, type Command, type RpcRequest, type RpcResponse } from '@muster/contracts';
import { Rpc } from '@muster/messaging';
import { Controller } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { CommandAccept } from './command.accept.js';
import { CommandEntity } from './command.entity.js';
import { isReplyTo } from './command.end.js';
import { CommandRequestEntity } from './command-request.entity.js';

/** Most ids that an error lists. */
const LISTED = 20;

/** Questions about commands. */
@Controller()
export class CommandsRpc {
  constructor(
    private readonly dataSource: DataSource,
    private readonly acceptance: CommandAccept,
  ) {}

  @Rpc(commandDispatcher.getCommand)
  async getCommand({ project_id, id }: RpcRequest<typeof commandDispatcher.getCommand>): Promise<Command> {
    const command = await this.dataSource.getRepository(CommandEntity).findOneBy({ project_id, id });
    if (!command) throw new DomainError('not_found', `command ${id} does not exist`);
    const request = await this.dataSource
      .getRepository(CommandRequestEntity)
      .findOneByOrFail({ project_id, id: command.request_id });
    const { state, attempt, fence, progress, reason, code, evidence, activity } = command;
    return {
      id,
      project_id,
      request_id: command.request_id,
      device_id: command.device_id,
      command: request.command,
      args: { ...request.args, ...command.args },
      state,
      attempt,
      fence,
      progress,
      reason,
      code,
      evidence,
      activity,
      created_at: command.created_at.toISOString(),
      due_at: command.due_at?.toISOString() ?? null,
    };
  }

  @Rpc(commandDispatcher.createCommands)
  async createCommands(
    request: RpcRequest<typeof commandDispatcher.createCommands>,
  ): Promise<RpcResponse<typeof commandDispatcher.createCommands>> {
    if (!isReplyTo(request.request.reply_to))
      throw new DomainError('invalid', `request.reply_to: nobody listens to ${request.request.reply_to}`);
    const unknown = await this.acceptance.unknownDevices(
      request.project_id,
      request.items.map((item) => item.device_id),
    );
    if (unknown.length > 0) {
      const more = unknown.length > LISTED ? ` and ${unknown.length - LISTED} more` : '';
      throw new DomainError('invalid', `devices: no such device: ${unknown.slice(0, LISTED).join(', ')}${more}`);
    }
    const items = request.items.map((item) => ({ ...item, ref: item.command_id, args: {} }));
    await this.acceptance.accept(request.project_id, request.request, items);
    return { accepted: items.length };
  }
}
