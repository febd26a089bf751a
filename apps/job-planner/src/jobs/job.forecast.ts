import type { NewJob, RolloutPlan } from '@muster/contracts';
import { Injectable } from '@nestjs/common';
import { RolloutForecast } from '../rollout/rollout.forecast.js';
import { JobCreate } from './job.create.js';
import { COMMAND_OF } from './job.family.js';
import { JobTargets, soughtBy } from './job.targets.js';

/** Says what a job would do. */
@Injectable()
export class JobForecast {
  constructor(
    private readonly creation: JobCreate,
    private readonly targets: JobTargets,
    private readonly forecast: RolloutForecast,
  ) {}

  /** @throws DomainError `invalid` naming the field, as a create of it. */
  async of(project_id: string, job: NewJob): Promise<RolloutPlan> {
    const target_groups = await this.creation.check(project_id, job);
    const { job_type, rollout = {} } = job;
    const sought = soughtBy(project_id, job, target_groups);
    return this.forecast.of({
      project_id,
      spec: rollout,
      command: COMMAND_OF[job_type].command,
      find: (query, cursor) => this.targets.find(sought, query, cursor),
    });
  }
}
