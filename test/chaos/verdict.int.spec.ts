import { testPostgres, type TestPostgres } from '@muster/testing';
import pg from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Tables } from './database.ts';
import { makeTables, readJournals } from './evidence.ts';
import { ITS_EVIDENCE, SMALL_WORLD } from './testing.ts';
import { judge, verdictLines, type Evidence, type Verdict } from './verdict.ts';
import { promises } from './verdicts/index.ts';

let postgres: TestPostgres;
let client: pg.Client;
let database: Tables;

beforeAll(async () => {
  postgres = await testPostgres();
  client = new pg.Client({ connectionString: await postgres.createDatabase() });
  await client.connect();
  database = {
    query: async <Row extends pg.QueryResultRow>(sql: string, parameters: unknown[] = []) =>
      (await client.query<Row>(sql, parameters.length > 0 ? parameters : undefined)).rows,
  };
  await makeTables(database);
  await client.query(SMALL_WORLD);
  await client.query(ITS_EVIDENCE);
});
afterAll(async () => {
  await client.end();
  await postgres.stop();
});
beforeEach(() => client.query('BEGIN'));
afterEach(() => client.query('ROLLBACK'));

async function verdicts(seen: Partial<Evidence> = {}): Promise<Verdict[]> {
  await readJournals(database);
  const evidence = { database, leftovers: [], refused: [], overdue: [], due: 1, ...seen };
  const all: Verdict[] = [];
  for (const promised of promises) all.push(await judge(promised, evidence));
  return all;
}

const journal = (
  service: string,
  { entity, id, from, to, version }: { entity: string; id: string; from: string; to: string; version: number },
) => {
  const move = { entity, to, ids: [id], from: { all: from }, version: { all: version } };
  return `INSERT INTO ${service}.journal (transitions) VALUES ('${JSON.stringify([move])}')`;
};
const COMMAND = 'c0000000-0000-7000-8000-000000000001';
const PART = 'f0000000-0000-7000-8000-000000000002';
const TASK = 'b0000000-0000-7000-8000-000000000001';
const TARGET_RUN = '90000000-0000-7000-8000-000000000004';
const OTHER = 'e0000000-0000-7000-8000-000000000001';
const late = `state = 'TIMEOUT', code = 'in_progress_timeout', deadline = now() - interval '6 seconds', state_at = now()`;
const told = (seconds: number) => `UPDATE chaos.told SET at = now() - interval '${seconds} seconds'`;
const excuse = (from: number, to: number) =>
  `INSERT INTO chaos.excuse VALUES (now() - interval '${from} seconds', now() - interval '${to} seconds')`;

describe('the verdicts', () => {
  it('given a world in which all went well, then every promise holds, and says what was looked at', async () => {
    const all = await verdicts();
    expect(all.flatMap((verdict) => verdict.broken)).toEqual([]);
    expect(all.map((verdict) => verdict.promise)).toEqual([1, 2, 3, 4, 5, 6, 7]);
    expect(verdictLines(all[0]!)).toEqual([
      'promise 1 holds   every accepted request reached its end, none twice with different outcomes (6 requests accepted, 1 jobs, 1 tasks, 1 runs, 1 target runs, 1 operations, 1 device operations, 4 commands ended)',
    ]);
  });

  it.each([
    [1, 'accepted jobs that do not exist', `UPDATE chaos.accepted SET id = '${OTHER}' WHERE kind = 'job'`],
    [1, 'requests that made two jobs', `INSERT INTO job_planner.job SELECT * FROM job_planner.job`],
    [1, 'cancel was forgotten', `INSERT INTO chaos.accepted SELECT 'cancel', id FROM job_planner.job`],
    [1, 'accepted devices that do not exist', `UPDATE chaos.accepted SET name = 'x' WHERE kind = 'register'`],
    [1, 'accepted changes that are not there', `UPDATE device_state.device SET attributes = '{}'`],
    [
      1,
      'commands that ended twice',
      journal('command_dispatcher', { entity: 'command', id: COMMAND, from: 'SUCCESS', to: 'FAILURE', version: 4 }),
    ],
    [
      1,
      'tasks that ended twice',
      journal('job_planner', { entity: 'job-task', id: TASK, from: 'Successful', to: 'Failed', version: 4 }),
    ],
    [1, 'whose command came to something else', `UPDATE job_planner.job_task SET state = 'Failed'`],
    [1, 'command requests that do not exist', `DELETE FROM command_dispatcher.user_request`],
    [1, 'operations that do not exist', `DELETE FROM device_state.operation`],
    [
      1,
      'command requests whose accepted cancel was forgotten',
      `INSERT INTO chaos.accepted SELECT 'command cancel', id FROM command_dispatcher.user_request`,
    ],
    [
      1,
      'operations whose accepted cancel was forgotten',
      `INSERT INTO chaos.accepted SELECT 'operation cancel', id FROM device_state.operation`,
    ],
    [
      1,
      'device operations that ended twice',
      journal('device_state', { entity: 'device-operation', id: PART, from: 'SUCCESS', to: 'FAILURE', version: 3 }),
    ],
    [1, 'device operations whose command', `UPDATE device_state.device_operation SET state = 'CANCELLED'`],
    [1, 'otherwise than their part', `UPDATE job_planner.operation_part SET outcome = 'failed'`],
    [1, 'accepted runs that do not exist', `UPDATE chaos.accepted SET name = 'x' WHERE kind = 'run'`],
    [1, 'requests that made two runs', `INSERT INTO job_planner.pipeline_run SELECT * FROM job_planner.pipeline_run`],
    [
      1,
      'runs whose accepted cancel',
      `INSERT INTO chaos.accepted SELECT 'run cancel', id FROM job_planner.pipeline_run`,
    ],
    [
      1,
      'target runs that ended twice',
      journal('job_planner', { entity: 'target-run', id: TARGET_RUN, from: 'success', to: 'failure', version: 2 }),
    ],
    [1, 'than their stage runs', `UPDATE job_planner.stage_run SET state = 'failure'`],
    [1, 'than their target runs', `UPDATE job_planner.target_run SET state = 'failure'`],
    [1, 'target runs whose command', `UPDATE job_planner.target_run SET state = 'cancelled'`],
    [1, 'target runs whose command', `UPDATE job_planner.target_run SET command_status = 'QUEUED'`],
    [
      1,
      'went on after one that did not succeed',
      `WITH t AS (UPDATE job_planner.target_run SET state = 'failure' RETURNING *)
       INSERT INTO job_planner.target_run SELECT project_id, id, stage_run_id, stage_device_id, 1, 'success', 1, command_id, 'SUCCESS' FROM t`,
    ],
    [1, 'convergences without proof', `DELETE FROM chaos.told`],
    [1, 'dead letters', `INSERT INTO job_planner.dead_letter VALUES ('muster.work.x', 'poison')`],
    [2, 'executed more than once', `INSERT INTO chaos.execution SELECT * FROM chaos.execution`],
    [2, 'was not for', `UPDATE chaos.execution SET device_id = '${OTHER}'`],
    [2, 'a fence that it never had', `UPDATE chaos.execution SET fence = 2`],
    [2, 'success that was told', `UPDATE command_dispatcher.command SET state = 'FAILURE'`],
    [2, 'success that was told', `UPDATE command_dispatcher.command SET state = 'TIMEOUT'`],
    [2, 'success that was told', `WITH c AS (UPDATE command_dispatcher.command SET ${late}) ${told(12)}`],
    [2, 'SUCCESS that no device told', `DELETE FROM chaos.told`],
    [3, 'gaps in the events', `DELETE FROM chaos.event WHERE round = 'live' AND version = 2`],
    [3, 'gaps in the journal', `DELETE FROM job_planner.journal WHERE seq = 3`],
    [3, 'transitions without their event', `DELETE FROM chaos.event WHERE round = 'live' AND version = 3`],
    [3, 'transitions without their event', `UPDATE chaos.event SET became = 'x' WHERE round = 'live' AND version = 3`],
    [3, 'events without their transition', `UPDATE chaos.event SET version = 9 WHERE round = 'live' AND version = 3`],
    [
      3,
      'do not begin where',
      `UPDATE command_dispatcher.journal SET transitions = jsonb_set(transitions::jsonb, '{0,from,all}', '"QUEUED"') WHERE seq = 2`,
    ],
    [3, 'rows that are not as', `UPDATE job_planner.job SET version = 4`],
    [3, 'rows that are not as', `UPDATE device_state.device SET state = 'ONLINE'`],
    [3, 'gaps in the notices:', `DELETE FROM chaos.notice WHERE round = 'live' AND number = 1`],
    [3, 'gaps in the notices of the journal', `DELETE FROM job_planner.journal WHERE notices->0->>'number' = '1'`],
    [3, 'notices that were not heard', `DELETE FROM chaos.notice WHERE round = 'live' AND number = 2`],
    [3, 'notices that nobody made', `DELETE FROM job_planner.journal WHERE notices->0->>'number' = '2'`],
    [3, 'rollouts that told more or less', `UPDATE job_planner.rollout SET told = 3`],
    [4, 'jobs with a wrong succeeded', `UPDATE job_planner.rollout SET succeeded = 2`],
    [4, 'jobs with a wrong in_flight', `UPDATE job_planner.rollout SET in_flight = 1`],
    [4, 'stage runs with a wrong succeeded', `UPDATE job_planner.rollout SET succeeded = 2`],
    [4, 'rollouts of operations with a wrong succeeded', `UPDATE job_planner.rollout SET succeeded = 2`],
    ...['jobs', 'stage runs', 'rollouts of operations'].flatMap((what): [number, string, string][] => [
      [
        4,
        `waves of ${what} with a wrong size`,
        `UPDATE job_planner.rollout SET waves = jsonb_set(waves, '{0,to}', '2')`,
      ],
      [
        4,
        `waves of ${what} with a wrong lost`,
        `UPDATE job_planner.rollout SET waves = jsonb_set(waves, '{0,lost}', '1')`,
      ],
    ]),
    [4, 'command requests with a wrong SUCCESS', `UPDATE command_dispatcher.request_count SET "SUCCESS" = 2`],
    [4, 'operations with a wrong count of SUCCESS', `UPDATE device_state.operation SET in_success = 2`],
    [4, 'lanes that hold', `UPDATE command_dispatcher.lane SET in_flight = '${COMMAND}'`],
    [5, 'ended too late', `UPDATE command_dispatcher.command SET ${late}`],
    [5, 'ended before their time', `UPDATE command_dispatcher.command SET state = 'TIMEOUT', code = 'never_contacted'`],
    [6, 'did not come back', `DELETE FROM chaos.event WHERE round = 'rebuilt' AND version = 3`],
    [6, 'did not come back', `DELETE FROM chaos.notice WHERE round = 'rebuilt' AND number = 2`],
    [6, 'not there before', `UPDATE chaos.event SET md5 = 'x' WHERE round = 'rebuilt' AND version = 3`],
    [
      7,
      'two transitions of one version',
      journal('job_planner', { entity: 'job-task', id: TASK, from: 'Running', to: 'Failed', version: 3 }),
    ],
    [
      7,
      'several bodies',
      `INSERT INTO chaos.event SELECT 'live', service, event_id, entity, id, version, was, became, 'x' FROM chaos.event WHERE round = 'live'`,
    ],
    [
      7,
      'several bodies',
      `INSERT INTO chaos.notice SELECT 'live', service, event_id, entity, id, name, number, 'x' FROM chaos.notice WHERE round = 'live'`,
    ],
    [
      7,
      'two commands of one request',
      `INSERT INTO command_dispatcher.command SELECT * FROM command_dispatcher.command`,
    ],
    [7, 'device operations with two commands', `UPDATE command_dispatcher.command SET ref = '${PART}' WHERE by_user`],
    [
      7,
      'executed more often than attempted',
      `INSERT INTO chaos.execution SELECT device_id, command_id, 2 FROM chaos.execution`,
    ],
    [7, 'a stage run planned twice', `INSERT INTO job_planner.stage_device SELECT * FROM job_planner.stage_device`],
    [
      7,
      'target runs with two commands',
      `INSERT INTO command_dispatcher.command SELECT * FROM command_dispatcher.command`,
    ],
    [7, 'a job planned twice', `INSERT INTO job_planner.job_task SELECT * FROM job_planner.job_task`],
    [
      7,
      'more commands than releases',
      `INSERT INTO command_dispatcher.command SELECT * FROM command_dispatcher.command`,
    ],
  ])('given a breach of promise %i, %s, then it is broken and says so', async (promise, what, breach) => {
    expect((await client.query(breach)).rowCount).toBeGreaterThan(0);
    const { broken } = (await verdicts())[promise - 1]!;
    expect(broken.join('\n')).toContain(what);
  });

  it.each<[number, string, Partial<Evidence>]>([
    [1, 'not at its end: 3 tasks open', { leftovers: ['3 tasks open'] }],
    [1, 'refused: create job c-1: 400', { refused: ['create job c-1: 400'] }],
    [
      5,
      'overdue was the due_at of a job: 1, such as b0000000-0000-7000-8000-000000000001 by 7.0 s at 2026-01-01T00:00:00.000Z',
      { overdue: [{ what: 'due_at of a job', id: TASK, seconds: 7, at: Date.UTC(2026) }] },
    ],
    [5, 'nothing was due at a moment at which it could be looked at', { due: 0 }],
  ])('given that promise %i was seen broken, %s, then it says so', async (promise, what, seen) => {
    expect((await verdicts(seen))[promise - 1]!.broken.join('\n')).toContain(what);
  });

  it('given a command that ended late while there was an excuse, then that is no breach; when it was over before, it is', async () => {
    await client.query(`UPDATE command_dispatcher.command SET ${late}`);
    await client.query(excuse(60, 7));
    expect((await verdicts())[4]!.broken).toHaveLength(1);
    await client.query('DROP TABLE chaos.transition, chaos.noted CASCADE; DROP VIEW chaos.row');
    await client.query(excuse(60, 5));
    expect((await verdicts())[4]!.broken).toEqual([]);
  });

  it('given a command that ended long after the excuse for it was over, then that is a breach, by the time since', async () => {
    await client.query(
      `UPDATE command_dispatcher.command SET ${late}; UPDATE command_dispatcher.command SET deadline = now() - interval '60 seconds'; ${excuse(70, 20)}`,
    );
    const { broken, seen } = (await verdicts())[4]!;
    expect(broken.join('\n')).toMatch(/ended too late: 4, .* by 00:00:20/);
    expect(seen).toContain('0 of them without an excuse');
  });

  it.each([
    ['after the deadline', 0],
    ['so shortly before it that it may have come after it', 10],
  ])('given a success that was told %s, then TIMEOUT stands', async (_, ago) => {
    await client.query(`UPDATE command_dispatcher.command SET ${late}; ${told(ago)}`);
    expect((await verdicts())[1]!.broken).toEqual([]);
  });

  it.each([
    ['there was an excuse between then and the deadline', 20, 15, 0],
    ['the excuse was over before', 40, 31, 1],
    ['the excuse came after the deadline', 5, 1, 1],
  ])('given a success that was told in time and ended in TIMEOUT, when %s', async (_, from, to, breaches) => {
    await client.query(`UPDATE command_dispatcher.command SET ${late}; ${told(30)}; ${excuse(from, to)}`);
    expect((await verdicts())[1]!.broken).toHaveLength(breaches);
  });
});
