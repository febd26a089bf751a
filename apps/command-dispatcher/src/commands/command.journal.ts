import { Journal, type Tx } from '@muster/journal';
import { Injectable } from '@nestjs/common';
import { RequestCounts } from '../requests/request.counts.js';
import { CommandRecurrence } from './command.recurrence.js';
import { movedRequests } from './command.moves.js';
import { CommandSteps } from './command.steps.js';
import { RequestFacts } from './request.facts.js';

/** The transactions in which commands move: at the end of each follows what the requests of these commands ask for. */
@Injectable()
export class CommandJournal {
  constructor(
    private readonly journal: Journal,
    private readonly facts: RequestFacts,
    private readonly recurrence: CommandRecurrence,
    private readonly steps: CommandSteps,
    private readonly counts: RequestCounts,
  ) {}

  transaction<T>(project: string, body: (tx: Tx) => Promise<T>): Promise<T> {
    return this.journal.transaction(project, async (tx) => {
      const result = await body(tx);
      await this.follow(tx);
      return result;
    });
  }

  private async follow(tx: Tx): Promise<void> {
    const facts = await this.facts.of(tx, movedRequests(tx));
    const recurring = new Map([...facts].filter(([, { terms }]) => terms.schedule?.schedule === 'RECURRING'));
    if (recurring.size > 0) await this.recurrence.follow(tx, recurring);
    const told = new Map([...facts].filter(([, { terms }]) => terms.steps_to !== undefined));
    if (told.size > 0) await this.steps.tell(tx, told);
    const counted = new Set([...facts].filter(([, { by_user }]) => by_user).map(([id]) => id));
    // Last, for its rows are those that transactions meet at.
    if (counted.size > 0) await this.counts.follow(tx, counted);
  }
}
