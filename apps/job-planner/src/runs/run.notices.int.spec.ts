import { pipelineRuns, type StageRun } from '@muster/contracts';
import { DataSource } from 'typeorm';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { planOf } from '../testing/plan-of-test.js';
import { RunningPipelines } from '../testing/running-pipelines.js';
import { PROJECT } from '../testing/running-planner.js';
import { runsOf } from '../testing/runs-of-test.js';
import { UNTOLD_RUNS } from './run.progress.js';

let running: RunningPipelines;

beforeAll(async () => {
  running = await RunningPipelines.start();
});
afterAll(() => running.planner.service.stop());

const { pipelineOf, startRun, runOf, stageRuns, reached, askedFor } = runsOf(() => running);

interface Notice {
  id: string;
  time: string;
  data: Record<string, unknown> & { number: number };
}

/** What was told of the progress of a run or a stage run, each notice once, in the order of their numbers. */
const told = (entity: 'pipeline-run' | 'stage-run', id: string): Notice[] => {
  const subject = `muster.evt.${PROJECT}.${entity}.progress.${id}`;
  const heard = running.planner.service.events.filter((event) => event.subject === subject);
  const notices = new Map(heard.map((event) => [event.id, event as unknown as Notice]));
  return [...notices.values()].sort((a, b) => a.data.number - b.data.number);
};
const lastToldAre = (entity: 'pipeline-run' | 'stage-run', id: string, progress: object) =>
  vi.waitFor(() => expect(told(entity, id).at(-1)?.data).toMatchObject(progress), { timeout: 5_000 });

/** They count up by one, and no two are within a second. */
function areApart(entity: 'pipeline-run' | 'stage-run', id: string): void {
  const notices = told(entity, id);
  expect(notices.map(({ data }) => data.number)).toEqual(notices.map((_, index) => index + 1));
  expect(notices.map((notice) => notice.id)).toEqual(
    notices.map((_, index) => `${entity}.progress.${id}.${index + 1}`),
  );
  const times = notices.map(({ time }) => Date.parse(time));
  expect(Math.min(...times.slice(1).map((time, index) => time - times[index]!))).toBeGreaterThanOrEqual(1_000);
}

describe('the notices of the progress of runs and stage runs', () => {
  it('given a run over some seconds, then they follow its numbers to the last, and those of its stage runs do', async () => {
    const stages = [{ name: 'one', promotion: 'manual' as const, on_failure: 'continue' as const }, { name: 'two' }];
    const run = await startRun(await pipelineOf(stages, running.planner.nodes(40)));
    const [one, two] = (await stageRuns(run)) as [StageRun, StageRun];
    const first = await askedFor(one, 0, 40);
    const counts = { targeted: 40, in_flight: 40, succeeded: 0 };
    await lastToldAre('stage-run', one.id, counts);
    const of = { of: 2, ended: 0, succeeded: 0 };
    await lastToldAre('pipeline-run', run.id, { ...counts, percent: 0, stages: of, waiting_for: 'in_flight' });
    expect((await runOf(run.id)).progress).toMatchObject({ ...counts, stages: of });

    // Much happens in each second.
    for (let at = 0; at < 30; at++) await running.planner.answer(first.operation, first.items.slice(at, at + 1));
    await lastToldAre('stage-run', one.id, { succeeded: 30, percent: 75 });
    await lastToldAre('pipeline-run', run.id, { succeeded: 30, percent: 37.5 });
    await running.planner.answer(first.operation, first.items.slice(30), 'FAILURE');
    await reached(run, 'waiting');
    const ended = { of: 2, ended: 1, succeeded: 0 };
    const waiting = { failed: 10, in_flight: 0, percent: 50, stages: ended, waiting_for: 'approval' };
    await lastToldAre('pipeline-run', run.id, waiting);

    await running.planner.service.restart();
    const { pipeline_id, id } = run;
    await running.call(pipelineRuns.setRun, { project_id: PROJECT, pipeline_id, id, status: 'running', by: 1 });
    const second = await askedFor(two, 0, 40);
    await running.planner.answer(second.operation, second.items);
    const { progress } = await reached(run, 'failure');
    // A device counts once for each stage.
    expect(progress).toMatchObject({ targeted: 80, succeeded: 70, failed: 10, percent: 100, waiting_for: null });
    expect(progress.stages).toEqual({ of: 2, ended: 2, succeeded: 1 });
    await lastToldAre('pipeline-run', run.id, progress);
    for (const stage of await stageRuns(run)) {
      await lastToldAre('stage-run', stage.id, stage.progress!);
      areApart('stage-run', stage.id);
    }
    areApart('pipeline-run', run.id);
    const { number: _number, project_id: _project, id: _id, ...numbers } = told('pipeline-run', run.id).at(-1)!.data;
    expect(numbers).toEqual(progress);
    // The last notice of a stage may come after that of the end of its run, which has told it by then.
    await expect
      .poll(() => running.planner.service.query(`SELECT 1 FROM rollout WHERE unheard OR tell_at IS NOT NULL`))
      .toEqual([]);
    const rows = await running.planner.service.query(`SELECT tell_at, told FROM pipeline_run WHERE id = $1`, [run.id]);
    expect(rows).toEqual([{ tell_at: null, told: told('pipeline-run', run.id).length }]);
  });

  it('given a stage on which somebody is always at work, then its run tells what it has to tell all the same', async () => {
    const run = await startRun(await pipelineOf([{ name: 'one' }], running.planner.nodes(2)));
    const [one] = (await stageRuns(run)) as [StageRun];
    const { operation, items } = await askedFor(one, 0, 2);
    await running.planner.answer(operation, items.slice(0, 1));
    await lastToldAre('stage-run', one.id, { succeeded: 1 });
    await lastToldAre('pipeline-run', run.id, { succeeded: 1 });
    const before = told('pipeline-run', run.id).length;
    await running.planner.service.query('BEGIN');
    await running.planner.service.query('SELECT FROM rollout WHERE id = $1 FOR UPDATE', [one.id]);
    const others = running.planner.service.get(DataSource);
    await others.query(`UPDATE pipeline_run SET tell_at = now() WHERE id = $1`, [run.id]);
    await vi.waitUntil(() => told('pipeline-run', run.id).length > before);
    await running.planner.service.query('COMMIT');
    await running.planner.answer(operation, items.slice(1));
    await reached(run, 'success');
  });

  it('given a run that moves long after it told something, then it is to be told from then on, and not late at once', async () => {
    const run = await startRun(await pipelineOf([{ name: 'one' }], running.planner.nodes(1)));
    const [one] = (await stageRuns(run)) as [StageRun];
    const { operation, items } = await askedFor(one, 0, 1);
    const { service } = running.planner;
    await expect.poll(() => service.query(`SELECT 1 FROM pipeline_run WHERE tell_at IS NOT NULL`)).toEqual([]);
    await service.query(`CREATE TABLE tellings (late interval)`);
    await service.query(`CREATE FUNCTION note_telling() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN INSERT INTO job_planner.tellings VALUES (now() - NEW.tell_at); RETURN NEW; END $$`);
    await service.query(`GRANT INSERT ON tellings TO PUBLIC`);
    await service.query(`CREATE TRIGGER note_telling BEFORE UPDATE ON pipeline_run FOR EACH ROW
      WHEN (NEW.tell_at IS DISTINCT FROM OLD.tell_at AND NEW.tell_at IS NOT NULL) EXECUTE FUNCTION note_telling()`);
    await service.query(`UPDATE pipeline_run SET told_at = told_at - interval '1 minute' WHERE id = $1`, [run.id]);
    await running.planner.answer(operation, items);
    await reached(run, 'success');
    await service.query(`DROP TRIGGER note_telling ON pipeline_run`);
    expect(await service.query(`SELECT count(*) > 0 AS told, max(late) > interval '0' AS late FROM tellings`)).toEqual([
      { told: true, late: false },
    ]);
  });

  it('given a run that is invalid at once, then its end is told once, with no stage', async () => {
    const run = await startRun((await running.pipeline()).id);
    await reached(run, 'invalid');
    await lastToldAre('pipeline-run', run.id, {
      targeted: 0,
      stages: { of: 0, ended: 0, succeeded: 0 },
      waiting_for: null,
    });
    expect(told('pipeline-run', run.id)).toHaveLength(1);
  });

  it('given many runs that wait, then a look for what is to be told reads those alone that have something to tell', async () => {
    const query = running.planner.service.query.bind(running.planner.service);
    const stages = [{ name: 'one', promotion: 'manual' as const }, { name: 'two' }];
    const run = await startRun(await pipelineOf(stages, running.planner.nodes(1)));
    const [one] = (await stageRuns(run)) as [StageRun];
    const { operation, items } = await askedFor(one, 0, 1);
    await running.planner.answer(operation, items);
    await reached(run, 'waiting');
    await lastToldAre('pipeline-run', run.id, { waiting_for: 'approval' });
    const untold = `SELECT 1 FROM pipeline_run WHERE tell_at IS NOT NULL UNION ALL SELECT 1 FROM rollout WHERE unheard`;
    await expect.poll(() => query(untold)).toEqual([]);
    await query(
      `WITH copy AS (SELECT gen_random_uuid() AS run, gen_random_uuid() AS stage FROM generate_series(1, 5000)),
         runs AS (
           INSERT INTO pipeline_run SELECT (jsonb_populate_record(p, jsonb_build_object('id', c.run, 'pipeline_id', c.run, 'due_at', NULL))).*
           FROM pipeline_run p, copy c WHERE p.id = $1),
         stages AS (
           INSERT INTO stage_run SELECT (jsonb_populate_record(s, jsonb_build_object('id', c.stage, 'pipeline_run_id', c.run))).*
           FROM stage_run s, copy c WHERE s.id = $2)
       INSERT INTO rollout SELECT (jsonb_populate_record(r, jsonb_build_object('id', c.stage))).* FROM rollout r, copy c WHERE r.id = $2`,
      [run.id, one.id],
    );
    await query(`ANALYZE pipeline_run, stage_run, rollout`);
    expect((await planOf(running.planner.service, UNTOLD_RUNS, [100])).mostRead).toBeLessThanOrEqual(10);
    const [{ told: before }] = (await query<{ told: number }>(`SELECT told FROM pipeline_run WHERE id = $1`, [
      run.id,
    ])) as [{ told: number }];
    await query(`UPDATE rollout SET unheard = true WHERE id = $1`, [one.id]);
    await expect
      .poll(() => query(`SELECT told FROM pipeline_run WHERE id = $1`, [run.id]))
      .toEqual([{ told: before + 1 }]);
  });
});
