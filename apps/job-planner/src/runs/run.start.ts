import { DomainError, invalidField, type PipelineRun, type pipelineRuns, type RpcRequest } from '@muster/contracts';
import { Journal } from '@muster/journal';
import { Injectable } from '@nestjs/common';
import { v7 as uuid } from 'uuid';
import { PipelineStore } from '../pipelines/pipeline.store.js';
import { stageRunTable } from '../stage-runs/stage-run.table.js';
import { pipelineRunTable } from './pipeline-run.table.js';
import { RunRead } from './run.read.js';
import { RunStore } from './run.store.js';
import { RunWake } from './run.wake.js';

/** Starts runs of pipelines. */
@Injectable()
export class RunStart {
  constructor(
    private readonly journal: Journal,
    private readonly pipelines: PipelineStore,
    private readonly runs: RunStore,
    private readonly read: RunRead,
    private readonly wake: RunWake,
  ) {}

  /**
   * Starts a run of a pipeline with its stages as they are now. Asked again with the same id it gives the run that there is.
   * @throws DomainError `not_found`, `invalid` where the pipeline is not active, `conflict` while another of its runs has not ended.
   */
  async start({
    project_id,
    id,
    pipeline_id,
    by,
    actor_id,
  }: RpcRequest<typeof pipelineRuns.startRun>): Promise<PipelineRun> {
    await this.journal.transaction(project_id, async (tx) => {
      const pipeline = await this.runs.lockPipeline(tx, pipeline_id);
      if (!pipeline) throw new DomainError('not_found', `no pipeline ${pipeline_id}`);
      if (await this.runs.lock(tx, id)) return;
      if (!pipeline.is_active) throw invalidField('is_active', 'is false: the pipeline is not to be started');
      await this.pipelines.refuseOpenRun(tx, project_id, pipeline_id);
      await tx.create(
        pipelineRunTable,
        {
          id: [id],
          pipeline_id: [pipeline_id],
          pipeline_name: [pipeline.name],
          run_number: [await this.runs.nextNumber(tx, pipeline_id)],
          started_by: [actor_id],
          created_by: [by],
          updated_by: [by],
        },
        {
          compute: {
            due_at: 'now()',
            tell_at: `now() + interval '1 second'`,
            deadline: `now() + interval '${pipeline.timeout_seconds} seconds'`,
          },
        },
      );
      const stages = await this.runs.snapshot(tx, pipeline_id);
      const ids = stages.map(() => uuid());
      const all = <T>(value: T) => stages.map(() => value);
      await tx.create(stageRunTable, {
        id: ids,
        pipeline_id: all(pipeline_id),
        pipeline_run_id: all(id),
        stage_id: stages.map((stage) => stage.id),
        place: stages.map((_, place) => place),
        meta: stages.map(({ meta }) => meta),
        target_list_ids: stages.map(({ target_list_ids }) => target_list_ids),
        created_by: all(by),
        updated_by: all(by),
      });
      for (const [place, stage] of stages.entries()) await this.runs.copyOperations(tx, stage.id, ids[place]!);
    });
    this.wake.wake({ project_id, id });
    return this.read.run({ project_id, id, pipeline_id });
  }
}
