import type { Tx } from '@muster/journal';
import { Injectable } from '@nestjs/common';

/** Whose operations there are. */
@Injectable()
export class StageRunOperations {
  /** The stage run of an operation; undefined where the id is none. */
  async stageRunOf(tx: Tx, id: string): Promise<string | undefined> {
    const [row] = await tx.query<{ stage_run_id: string }>(
      `SELECT stage_run_id FROM stage_run_operation WHERE project_id = $1 AND id = $2`,
      [tx.project, id],
    );
    return row?.stage_run_id;
  }
}
