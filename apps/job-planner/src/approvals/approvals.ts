import type { Tx } from '@muster/journal';
import { Injectable } from '@nestjs/common';
import { v7 as uuid } from 'uuid';
import { approvalTable } from './approval.table.js';

/** What an approval is asked for. */
export interface Subject {
  entity: string;
  /** Also the id of its rollout. */
  id: string;
  name: string;
  /** Who wants it. */
  requested_by: string;
}

/** Asks for approvals of waves. The rollout is locked. */
@Injectable()
export class Approvals {
  /** @param wave from 1; asked for again, nothing changes */
  async ask(tx: Tx, { entity, id, name, requested_by }: Subject, wave: number): Promise<void> {
    await tx.create(approvalTable, {
      id: [uuid()],
      subject_entity: [entity],
      subject_id: [id],
      subject_name: [name],
      wave: [wave],
      requested_by: [requested_by],
    });
  }

  /** Nobody is to decide any more. */
  async withdraw(tx: Tx, rollout: string): Promise<void> {
    const pending = await tx.query<{ id: string }>(
      `SELECT id FROM approval WHERE project_id = $1 AND subject_id = $2 AND state = 'pending'`,
      [tx.project, rollout],
    );
    await tx.transition(approvalTable, 'withdrawn', { ids: pending.map(({ id }) => id) });
  }
}
