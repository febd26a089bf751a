import type { RolloutWait, RunProgress, RunState } from '@muster/contracts';
import { isEnd } from '@muster/lifecycle';
import { countsOf } from '../rollout/progress.js';
import { COUNTS, EMPTY_TALLY, type Tally } from '../rollout/tally.js';
import { pipelineRunLifecycle } from './pipeline-run.lifecycle.js';

/** The stage runs of a run together: their counts, and how far they are. */
export interface RunTally extends Tally {
  id: string;
  stages: number;
  stages_ended: number;
  stages_succeeded: number;
  /** Of the stages under way, the shares of their devices that have ended, added up. */
  under_way: number;
  waits_for: RolloutWait | null;
}

const sum = (column: string) => `coalesce(sum(r.${column}), 0)::integer AS ${column}`;
const ENDED = `s.state IN ('success', 'failure', 'cancelled', 'timeout', 'invalid')`;
const DONE = 'r.succeeded + r.failed + r.timed_out + r.rejected + r.unknown + r.cancelled';

/** SQL: a {@link RunTally} for each of the runs `$2`. */
export const RUN_TALLIES = `
  SELECT s.pipeline_run_id AS id, count(*)::integer AS stages,
    count(*) FILTER (WHERE ${ENDED})::integer AS stages_ended, count(*) FILTER (WHERE s.state = 'success')::integer AS stages_succeeded,
    coalesce(sum((${DONE})::float8 / nullif(r.pending + r.offline + r.in_flight + ${DONE}, 0)) FILTER (WHERE NOT ${ENDED}), 0) AS under_way,
    max(CASE WHEN r.at_rest THEN 'approval' ELSE r.waits_for END) FILTER (WHERE NOT ${ENDED}) AS waits_for,
    ${COUNTS.map(sum).join(', ')}
  FROM stage_run s LEFT JOIN rollout r USING (project_id, id)
  WHERE s.project_id = $1 AND s.pipeline_run_id = ANY ($2::uuid[]) GROUP BY s.pipeline_run_id`;

/** SQL: runs of every project that have moved, or heard of their stages, since they told their progress, and may tell it; `$1` at most. */
export const UNTOLD_RUNS = `
  SELECT project_id, id, tell_at FROM pipeline_run WHERE tell_at <= now()
  UNION
  SELECT p.project_id, p.id, p.told_at + interval '1 second' FROM rollout r JOIN stage_run s USING (project_id, id)
  JOIN pipeline_run p ON p.project_id = s.project_id AND p.id = s.pipeline_run_id
  WHERE r.unheard AND p.told_at <= now() - interval '1 second'
  ORDER BY tell_at LIMIT $1`;

const NO_STAGES: RunTally = {
  ...EMPTY_TALLY,
  ...{ id: '', stages: 0, stages_ended: 0, stages_succeeded: 0, under_way: 0, waits_for: null },
};

/** The progress of a run in this state; it has no stages where they have no tally. */
export function runProgressOf(state: RunState, tally: RunTally = NO_STAGES): RunProgress {
  const { stages, stages_ended, stages_succeeded, under_way, waits_for } = tally;
  const share = stages === 0 ? 0 : (stages_ended + under_way) / stages;
  return {
    ...countsOf(tally),
    percent: Math.floor(share * 1000) / 10,
    stages: { of: stages, ended: stages_ended, succeeded: stages_succeeded },
    waiting_for: isEnd(pipelineRunLifecycle, state)
      ? null
      : state === 'waiting'
        ? 'approval'
        : (waits_for ?? 'dispatch'),
  };
}
