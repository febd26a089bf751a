import { commandWork, type WorkBatch } from '@muster/contracts';
import { Work } from '@muster/messaging';
import { Controller } from '@nestjs/common';
import { CommandJournal } from '../commands/command.journal.js';
import { PresenceApply } from './presence.apply.js';

/** What device-state says of presence. */
@Controller()
export class PresenceWork {
  constructor(
    private readonly journal: CommandJournal,
    private readonly presence: PresenceApply,
  ) {}

  @Work(commandWork.presence)
  async onPresence({ project_id, items }: WorkBatch<typeof commandWork.presence>): Promise<void> {
    await this.journal.transaction(project_id, (tx) => this.presence.apply(tx, items));
  }
}
