import type { Tx } from '@muster/journal';
import { Injectable } from '@nestjs/common';
import { JobFamily } from '../jobs/job.family.js';
import { OperationFamily } from '../operations/operation.family.js';
import { StageFamily } from '../stage-runs/stage.family.js';
import { StageRunOperations } from '../stage-runs/stage-run-operations.js';
import type { Family } from './family.js';
import type { RolloutEntity } from './rollout.entity.js';

/** What there is to roll out. */
@Injectable()
export class Families {
  readonly all: readonly Family[];

  constructor(
    jobs: JobFamily,
    stages: StageFamily,
    operations: OperationFamily,
    private readonly stageOperations: StageRunOperations,
  ) {
    this.all = [jobs, stages, operations];
  }

  /** The rollout that a request belongs to: itself, or the stage run of an operation. */
  async rolloutOf(tx: Tx, request_id: string): Promise<string> {
    return (await this.stageOperations.stageRunOf(tx, request_id)) ?? request_id;
  }

  of({ family }: Pick<RolloutEntity, 'family'>): Family {
    return this.all.find(({ name }) => name === family)!;
  }
}
