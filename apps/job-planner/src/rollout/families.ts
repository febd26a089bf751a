import { Injectable } from '@nestjs/common';
import { JobFamily } from '../jobs/job.family.js';
import type { Family } from './family.js';
import type { RolloutEntity } from './rollout.entity.js';

/** What there is to roll out. */
@Injectable()
export class Families {
  readonly all: readonly Family[];

  constructor(jobs: JobFamily) {
    this.all = [jobs];
  }

  of({ family }: Pick<RolloutEntity, 'family'>): Family {
    return this.all.find(({ name }) => name === family)!;
  }
}
