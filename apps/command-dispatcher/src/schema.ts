import { CommandCancelEntity } from './commands/command-cancel.entity.js';
import { CommandRequestEntity } from './commands/command-request.entity.js';
import { CommandEntity } from './commands/command.entity.js';
import { LaneEntity } from './lanes/lane.entity.js';
import { Commands1700000002000 } from './migrations/1700000002000-commands.js';

/** What the service keeps, and how its schema came to be. */
export const entities = [CommandEntity, CommandRequestEntity, CommandCancelEntity, LaneEntity];
export const migrations = [Commands1700000002000];
