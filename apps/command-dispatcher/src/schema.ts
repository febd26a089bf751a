import { CommandCancelEntity } from './commands/command-cancel.entity.js';
import { CommandRequestEntity } from './commands/command-request.entity.js';
import { CommandEntity } from './commands/command.entity.js';
import { LaneEntity } from './lanes/lane.entity.js';
import { Commands1700000002000 } from './migrations/1700000002000-commands.js';
import { RequestCountEntity } from './requests/request-count.entity.js';
import { UserRequestEntity } from './requests/user-request.entity.js';

/** What the service keeps, and how its schema came to be. */
export const entities = [
  CommandEntity,
  CommandRequestEntity,
  CommandCancelEntity,
  LaneEntity,
  UserRequestEntity,
  RequestCountEntity,
];
export const migrations = [Commands1700000002000];
