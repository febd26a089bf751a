import { Module } from '@nestjs/common';
import { CommandAccept } from './commands/command.accept.js';
import { CommandCancel } from './commands/command.cancel.js';
import { CommandDispatch } from './commands/command.dispatch.js';
import { CommandEnd } from './commands/command.end.js';
import { CommandSender } from './commands/command.sender.js';
import { CommandStore } from './commands/command.store.js';
import { CommandSweep } from './commands/command.sweep.js';
import { CommandsRpc } from './commands/commands.rpc.js';
import { CommandsWork } from './commands/commands.work.js';
import { StatusesDevice } from './commands/statuses.device.js';
import { LaneStore } from './lanes/lane.store.js';
import { PresenceApply } from './lanes/presence.apply.js';
import { PresenceCheck } from './lanes/presence.check.js';
import { PresenceWork } from './lanes/presence.work.js';
import { CommandRetention } from './retention/command.retention.js';
import { CommandRetentionStore } from './retention/command-retention.store.js';

@Module({
  controllers: [CommandsRpc, CommandsWork, StatusesDevice, PresenceWork],
  providers: [
    CommandStore,
    LaneStore,
    CommandSender,
    CommandDispatch,
    CommandEnd,
    CommandAccept,
    CommandCancel,
    CommandSweep,
    PresenceApply,
    PresenceCheck,
    CommandRetentionStore,
    CommandRetention,
  ],
})
export class CommandDispatcherModule {}
