import { BATCH_SIZE, DomainError, renamed } from '@muster/contracts';
import { Journal } from '@muster/journal';
import { Injectable } from '@nestjs/common';
import { v7 as uuid } from 'uuid';
import { deviceOperationTable } from '../device-operations/device-operation.table.js';
import { DeviceSearch } from '../devices/device.search.js';
import type { OperationEntity } from './operation.entity.js';
import { OperationStore } from './operation.store.js';

interface Page {
  ids: string[];
  next: string | null;
  /** Why there can be no further page. */
  fault: string;
}

/** Turns an operation's query into device operations, a page at a time. */
@Injectable()
export class OperationResolve {
  constructor(
    private readonly journal: Journal,
    private readonly operations: OperationStore,
    private readonly search: DeviceSearch,
  ) {}

  /** Resolves the page after `cursor`; does nothing if somebody else has, or the operation is no longer to be resolved. */
  async nextPage(
    project: string,
    { id, query }: Pick<OperationEntity, 'id' | 'query'>,
    cursor: string | null,
  ): Promise<void> {
    const page = await this.find(project, query, cursor);
    await this.journal.transaction(project, async (tx) => {
      const now = await this.operations.lock(tx, id);
      if (now?.state !== 'RESOLVING' || now.wish !== 'run' || now.resolved || now.resolve_cursor !== cursor) return;
      const created = await tx.create(deviceOperationTable, {
        id: page.ids.map(() => uuid()),
        operation_id: page.ids.map(() => id),
        device_id: page.ids,
        due_at: page.ids.map(() => now.deadline.toISOString()),
      });
      await this.operations.count(tx, id, { in_created: created.length });
      await this.operations.saveCursor(tx, id, page.next ?? cursor, page.next === null, page.fault);
    });
  }

  /** A query that was sound may be so no longer: what it names may be gone. */
  private async find(project: string, query: OperationEntity['query'], cursor: string | null): Promise<Page> {
    try {
      const after = cursor ?? undefined;
      const { devices, next } = await this.search.resolve({
        project_id: project,
        query,
        limit: BATCH_SIZE,
        ...(after && { after }),
      });
      return { ids: devices.map((device) => device.id), next, fault: '' };
    } catch (error) {
      if (!(error instanceof DomainError) || error.kind !== 'invalid') throw error;
      const { message } = renamed(error, 'query', 'operation_device_query');
      return { ids: [], next: null, fault: message };
    }
  }
}
