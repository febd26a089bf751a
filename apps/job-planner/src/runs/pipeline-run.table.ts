import { pipelineRunEntity } from '@muster/contracts';
import { defineStateTable } from '@muster/journal';
import { pipelineRunLifecycle } from './pipeline-run.lifecycle.js';

export const pipelineRunTable = defineStateTable(pipelineRunEntity, {
  lifecycle: pipelineRunLifecycle,
  table: 'pipeline_run',
  activity: false,
  traced: true,
  eventData: ['pipeline_id'],
  columns: {
    pipeline_id: 'uuid',
    pipeline_name: 'text',
    run_number: 'integer',
    started_by: 'uuid',
    wish: 'text',
    waits: 'boolean',
    promoted: 'integer',
    deadline: 'timestamptz',
    due_at: 'timestamptz',
    tell_at: 'timestamptz',
    created_by: 'integer',
    updated_by: 'integer',
    updated_at: 'timestamptz',
    started_at: 'timestamptz',
    ended_at: 'timestamptz',
  },
});

/** SQL over `t`: when a run that moves may tell its progress, at most once a second (rollout.md, "Watch"), and no sooner than it moves. */
export const TELL_AT = `greatest(now(), t.told_at + interval '1 second')`;
