import { BATCH_SIZE } from '@muster/contracts';
import { LOGGER, Loop, type Logger } from '@muster/service';
import { Inject, Injectable, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import { NIL } from 'uuid';
import { CommandCancel } from '../commands/command.cancel.js';
import { CommandJournal } from '../commands/command.journal.js';
import { RequestExpand } from './request.expand.js';
import { UserRequestStore, type RequestKey, type UserRequest } from './user-request.store.js';

const EVERY_MS = 500;
const LIMIT = 20;
/** How long a request is left to the replica that took it. */
const CLAIM_SECONDS = 30;
/** How long it goes on before those that came after it have their turn; far less than its claim, so that no other replica takes it meanwhile. */
const TURN_MS = 1_000;

/** Carries on users' requests with more to do: makes their commands, or cancels them, a page at a time. */
@Injectable()
export class RequestAdvance implements OnApplicationBootstrap, OnApplicationShutdown {
  private readonly loop: Loop;
  private stopping = false;

  constructor(
    private readonly store: UserRequestStore,
    private readonly journal: CommandJournal,
    private readonly expand: RequestExpand,
    private readonly cancel: CommandCancel,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {
    this.loop = new Loop('command requests', EVERY_MS, () => this.step(), logger);
  }

  onApplicationBootstrap(): void {
    this.loop.start();
  }

  async onApplicationShutdown(): Promise<void> {
    this.stopping = true;
    await this.loop.stop();
  }

  /** Lets the loop look at once. */
  wake(): void {
    this.loop.wake();
  }

  /** @returns whether there may be more that is due. */
  async step(): Promise<boolean> {
    const due = await this.store.claimDue(LIMIT, CLAIM_SECONDS);
    // One that fails keeps no other from going on; it is due again when its claim is over.
    const wantMore = await Promise.all(
      due.map((key) =>
        this.advance(key).catch((error: unknown) => {
          this.logger.error({ err: error, request_id: key.id }, 'command request failed, trying again');
          return false;
        }),
      ),
    );
    return due.length === LIMIT || wantMore.includes(true);
  }

  /** Goes on with a claimed request for one turn. @returns whether it wants another. */
  private async advance(key: RequestKey): Promise<boolean> {
    const turnEnds = Date.now() + TURN_MS;
    while (!this.stopping && Date.now() < turnEnds) {
      const request = await this.store.find(key.project_id, key.id);
      if (!request) return false;
      if (request.cancelled_at) {
        if (!(await this.cancelPage(request))) return false;
      } else if (request.expanded) return false;
      else await this.expand.nextPage(request);
    }
    await this.store.giveBack(key);
    return true;
  }

  /** Cancels a page of the commands that have not ended. @returns whether there may be more. */
  async cancelPage({ project_id, id, cursor, reason }: UserRequest): Promise<boolean> {
    return this.journal.transaction(project_id, async (tx) => {
      const open = await this.store.open(tx, id, cursor || NIL, BATCH_SIZE);
      const isLast = open.length < BATCH_SIZE;
      if (open.length > 0) await this.cancel.cancelOpen(tx, open, reason);
      await this.store.saveCursor(tx, id, open.at(-1)?.id ?? cursor, isLast);
      return !isLast;
    });
  }
}
