import { commandWork, type WorkBatch } from '@muster/contracts';
import { Work } from '@muster/messaging';
import { Controller } from '@nestjs/common';
import { CommandAccept } from './command.accept.js';
import { CommandCancel } from './command.cancel.js';

/** Commands that other services ask for. */
@Controller()
export class CommandsWork {
  constructor(
    private readonly accept: CommandAccept,
    private readonly cancel: CommandCancel,
  ) {}

  @Work(commandWork.request, { concurrency: 3 })
  async onRequest(batch: WorkBatch<typeof commandWork.request>): Promise<void> {
    await this.accept.accept(batch.project_id, batch.head, batch.items);
  }

  @Work(commandWork.cancel)
  async onCancel(batch: WorkBatch<typeof commandWork.cancel>): Promise<void> {
    await this.cancel.cancel(batch.project_id, batch);
  }
}
