import { stageRunEntity } from '@muster/contracts';
import { defineStateTable } from '@muster/journal';
import { stageRunLifecycle } from './stage-run.lifecycle.js';

// Its events carry the run's trace, in which every step of it runs.
export const stageRunTable = defineStateTable(stageRunEntity, {
  lifecycle: stageRunLifecycle,
  table: 'stage_run',
  activity: false,
  traced: false,
  eventData: ['pipeline_run_id', 'stage_id'],
  columns: {
    pipeline_id: 'uuid',
    pipeline_run_id: 'uuid',
    stage_id: 'uuid',
    place: 'integer',
    meta: 'jsonb',
    target_list_ids: 'jsonb',
    ending: 'text',
    deadline: 'timestamptz',
    created_by: 'integer',
    updated_by: 'integer',
    updated_at: 'timestamptz',
    started_at: 'timestamptz',
    ended_at: 'timestamptz',
  },
});
