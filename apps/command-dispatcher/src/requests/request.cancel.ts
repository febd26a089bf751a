import { DomainError, type CommandRequestDocument } from '@muster/contracts';
import { Journal } from '@muster/journal';
import { Injectable } from '@nestjs/common';
import { RequestAdvance } from './request.advance.js';
import { toDocument } from './request.document.js';
import { UserRequestStore, type CountedRequest } from './user-request.store.js';

/** Cancels requests of users as a whole. */
@Injectable()
export class RequestCancel {
  constructor(
    private readonly journal: Journal,
    private readonly store: UserRequestStore,
    private readonly advance: RequestAdvance,
  ) {}

  /**
   * From the answer on no command follows; the first page of those there are is cancelled with it, the rest in the background. Of a request that
   * is complete nothing changes.
   */
  async cancel(project_id: string, id: string, reason: string): Promise<CommandRequestDocument> {
    await this.find(project_id, id);
    const isNew = await this.journal.transaction(project_id, (tx) => this.store.markCancelled(tx, id, reason));
    if (isNew) {
      const hasMore = await this.advance.cancelPage(await this.find(project_id, id));
      if (hasMore) this.advance.wake();
    }
    return toDocument(await this.find(project_id, id));
  }

  /** @throws DomainError `not_found` */
  private async find(project_id: string, id: string): Promise<CountedRequest> {
    const request = await this.store.find(project_id, id);
    if (!request) throw new DomainError('not_found', `command request ${id} does not exist`);
    return request;
  }
}
