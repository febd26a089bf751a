import { Module } from '@nestjs/common';
import { CommandAccept } from './commands/command.accept.js';
import { CommandCancel } from './commands/command.cancel.js';
import { CommandDispatch } from './commands/command.dispatch.js';
import { CommandEnd } from './commands/command.end.js';
import { CommandHold } from './commands/command.hold.js';
import { HeldStore } from './commands/held.store.js';
import { CommandSender } from './commands/command.sender.js';
import { CommandStore } from './commands/command.store.js';
import { CommandSweep } from './commands/command.sweep.js';
import { CommandHistory } from './commands/command.history.js';
import { CommandHistoryRpc } from './commands/command-history.rpc.js';
import { CommandsRpc } from './commands/commands.rpc.js';
import { CommandsWork } from './commands/commands.work.js';
import { StatusesDevice } from './commands/statuses.device.js';
import { CommandDeployed } from './commands/command.deployed.js';
import { CommandJournal } from './commands/command.journal.js';
import { CommandQuery } from './commands/command.query.js';
import { CommandRecurrence } from './commands/command.recurrence.js';
import { CommandRetry } from './commands/command.retry.js';
import { CommandSchedule } from './commands/command.schedule.js';
import { CommandSteps } from './commands/command.steps.js';
import { RequestFacts } from './commands/request.facts.js';
import { StatusLag } from './commands/status.lag.js';
import { DeviceLocks } from './locks/device.locks.js';
import { LockStore } from './locks/lock.store.js';
import { LockTake } from './locks/lock.take.js';
import { RequestAdvance } from './requests/request.advance.js';
import { RequestCancel } from './requests/request.cancel.js';
import { RequestCounts } from './requests/request.counts.js';
import { RequestCreate } from './requests/request.create.js';
import { RequestExpand } from './requests/request.expand.js';
import { UserRequestStore } from './requests/user-request.store.js';
import { RequestsRpc } from './requests/requests.rpc.js';
import { LocksRpc } from './locks/locks.rpc.js';
import { LaneStore } from './lanes/lane.store.js';
import { PresenceApply } from './lanes/presence.apply.js';
import { PresenceCheck } from './lanes/presence.check.js';
import { PresenceWork } from './lanes/presence.work.js';
import { CommandRetention } from './retention/command.retention.js';
import { CommandRetentionStore } from './retention/command-retention.store.js';

@Module({
  controllers: [CommandsRpc, CommandHistoryRpc, CommandsWork, StatusesDevice, PresenceWork, RequestsRpc, LocksRpc],
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
    CommandDeployed,
    CommandHistory,
    CommandHold,
    HeldStore,
    CommandJournal,
    CommandQuery,
    CommandRecurrence,
    CommandRetry,
    CommandSchedule,
    CommandSteps,
    RequestFacts,
    StatusLag,
    DeviceLocks,
    LockStore,
    LockTake,
    RequestAdvance,
    RequestCancel,
    RequestCounts,
    RequestCreate,
    RequestExpand,
    UserRequestStore,
  ],
})
export class CommandDispatcherModule {}
