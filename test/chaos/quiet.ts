import { RetentionPolicy, type ConsumerInfo, type NatsConnection } from 'nats';
import { setTimeout as delay } from 'node:timers/promises';
import { JOURNALS, UNTOLD } from '../harness/journals.ts';
import type { Client } from './client.ts';
import type { Database } from './database.ts';
import { PIPELINES } from './load.ts';
import { ENDS_OF_RUNS } from './verdicts/1-runs.ts';

/** Each look reads all that is open, of a system that has enough to do. */
const EVERY_MS = 2_000;
/** What was lost is asked for after one minute, then after two: a system in which nothing happens for longer hangs. */
const STILL_MS = 200_000;
/** A system in which something happens and that does not come to its end for this long does not come to it at all. */
const MOST_MS = 900_000;

/** Something that has not come to its end, in words. */
export type Leftover = string;

/**
 * Waits until everything that was accepted has come to its end and every message has been taken. Jobs that a pause has stopped are restored
 * meanwhile, and runs of pipelines that wait are promoted, as their users would.
 * @returns what does not come to its end; nothing, when all is well.
 */
export async function untilQuiet(
  { database, connection, client }: { database: Database; connection: NatsConnection; client: Client },
  signal: AbortSignal,
): Promise<Leftover[]> {
  const giveUp = Date.now() + MOST_MS;
  let moved = Date.now();
  let moves = '';
  for (;;) {
    await restorePaused(database, client, signal);
    await promoteWaiting(database, client, signal);
    const left = await openWork(database, connection);
    if (left.length === 0) return [];
    const now = await countMoves(database);
    if (now !== moves) moved = Date.now();
    moves = now;
    if (Date.now() > Math.min(giveUp, moved + STILL_MS))
      return [...left, ...(await hangingJobs(database)), ...(await hangingRuns(database))];
    await delay(EVERY_MS, undefined, { signal });
  }
}

async function restorePaused(database: Database, client: Client, signal: AbortSignal): Promise<void> {
  const paused = await database.query<{ id: string }>(
    `SELECT id FROM job_planner.rollout WHERE family = 'job' AND at_rest AND wish = 'pause' LIMIT 100`,
  );
  for (const { id } of paused) await client.ask('POST', `/v2/demo/productmgr/jobs/${id}/restore`, { signal });
}

async function promoteWaiting(database: Database, client: Client, signal: AbortSignal): Promise<void> {
  const waiting = await database.query<{ id: string }>(
    `SELECT id FROM job_planner.pipeline_run WHERE state = 'waiting' LIMIT 100`,
  );
  const body = { status: 'running' };
  for (const { id } of waiting) await client.ask('PUT', `${PIPELINES}/runs/${id}/`, { body, signal });
}

/** Where the journals are; another answer means that something has happened. */
async function countMoves(database: Database): Promise<string> {
  const sequences = JOURNALS.map((schema) => `(SELECT last_value FROM ${schema}.journal_seq)`);
  const [row] = await database.query<{ moves: string }>(`SELECT concat_ws(' ', ${sequences.join(', ')}) AS moves`);
  return row!.moves;
}

async function openWork(database: Database, connection: NatsConnection): Promise<Leftover[]> {
  const left: Leftover[] = [];
  const rows = await database.query<{ what: string; count: number }>(
    `SELECT 'jobs' AS what, count(*)::int AS count FROM job_planner.job
     WHERE state IN ('Waiting', 'Running', 'Stopping') OR (state = 'Stopped' AND NOT cancelled)
     UNION ALL SELECT 'pipeline runs', count(*)::int FROM job_planner.pipeline_run WHERE due_at IS NOT NULL
     UNION ALL SELECT 'stage runs', count(*)::int FROM job_planner.stage_run WHERE state NOT IN ${ENDS_OF_RUNS}
     UNION ALL SELECT 'stage devices', count(*)::int FROM job_planner.stage_device WHERE state IN ('Waiting', 'Running', 'Stopping')
     UNION ALL SELECT 'operation parts', count(*)::int FROM job_planner.operation_part WHERE state IN ('Waiting', 'Running', 'Stopping')
     UNION ALL SELECT 'target runs', count(*)::int FROM job_planner.target_run WHERE state NOT IN ${ENDS_OF_RUNS}
     UNION ALL SELECT 'rollouts whose progress is to be told', count(*)::int FROM job_planner.rollout WHERE tell_at IS NOT NULL OR unheard
     UNION ALL SELECT 'pipeline runs whose progress is to be told', count(*)::int FROM job_planner.pipeline_run WHERE tell_at IS NOT NULL
     UNION ALL SELECT 'tasks', count(*)::int FROM job_planner.job_task WHERE state IN ('Waiting', 'Running', 'Stopping')
     UNION ALL SELECT 'commands', count(*)::int FROM command_dispatcher.command
       WHERE state IN ('QUEUED', 'SCHEDULED', 'INITIATED', 'ACKNOWLEDGED', 'INPROGRESS')
     UNION ALL SELECT 'command requests', count(*)::int FROM command_dispatcher.user_request WHERE NOT expanded AND cancelled_at IS NULL
     UNION ALL SELECT 'operations', count(*)::int FROM device_state.operation WHERE due_at IS NOT NULL
     UNION ALL SELECT 'device operations', count(*)::int FROM device_state.device_operation WHERE due_at IS NOT NULL
     UNION ALL SELECT what, count(*)::int FROM (${UNTOLD}) untold GROUP BY what`,
  );
  for (const { what, count } of rows) if (count > 0) left.push(`${count} ${what} open`);
  return [...left, ...(await waitingMessages(connection))];
}

/**
 * The messages that nobody has taken yet. Asked of the consumers: a bus that was killed keeps messages that it knows to be acknowledged, and
 * waits for acknowledgements of messages that it has lost.
 */
export async function waitingMessages(connection: NatsConnection): Promise<Leftover[]> {
  const waiting: Leftover[] = [];
  for await (const { stream_name, name, num_pending } of workConsumers(connection))
    if (num_pending > 0) waiting.push(`${num_pending} messages of ${stream_name} wait for ${name}`);
  return waiting;
}

/** How many messages were taken and not acknowledged, by the bus; those that a killed one has lost are among them. */
export async function unacknowledged(connection: NatsConnection): Promise<number> {
  let sum = 0;
  for await (const { num_ack_pending } of workConsumers(connection)) sum += num_ack_pending;
  return sum;
}

async function* workConsumers(connection: NatsConnection): AsyncGenerator<ConsumerInfo> {
  const manager = await connection.jetstreamManager();
  for await (const { config } of manager.streams.list())
    if (config.retention === RetentionPolicy.Workqueue) yield* manager.consumers.list(config.name);
}

/** Where the jobs hang that do not end: the states of their tasks, of those tasks' commands, and of these devices' lanes. */
async function hangingJobs(database: Database): Promise<Leftover[]> {
  const rows = await database.query<{ line: string }>(
    `SELECT format('job %s (%s) is %s, wish %s, planned %s, waits for %s, %s pending, %s offline, %s in flight, %s stopping, due %s; %s', j.id,
              j.job_name, j.state, r.wish, r.planned, r.waits_for, r.pending, r.offline, r.in_flight, r.stopping, r.due_at, (
       SELECT string_agg(format('%s tasks %s, command %s, lane %s', n, task, command, lane), '; ') FROM (
         SELECT count(*) AS n, t.state AS task, coalesce(c.state, 'none') AS command,
                CASE WHEN l.device_id IS NULL THEN 'none' WHEN l.in_flight = c.id THEN 'its own' WHEN l.in_flight IS NULL THEN 'free' ELSE 'of another' END
                  || CASE WHEN l.online THEN ', online' ELSE ', offline' END AS lane
         FROM job_planner.job_task t
         LEFT JOIN command_dispatcher.command c ON c.project_id = t.project_id AND c.id = t.command_id
         LEFT JOIN command_dispatcher.lane l ON l.project_id = t.project_id AND l.device_id = t.device_id
         WHERE t.project_id = j.project_id AND t.job_id = j.id AND t.state IN ('Waiting', 'Running', 'Stopping')
         GROUP BY 2, 3, 4
       ) open)) AS line
     FROM job_planner.job j JOIN job_planner.rollout r USING (project_id, id)
     WHERE j.state IN ('Waiting', 'Running', 'Stopping') ORDER BY j.id LIMIT 5`,
  );
  return rows.map((row) => row.line);
}

/** Where the runs of pipelines hang that do not end: the states of their stage runs, of those devices, and of the commands that these are at. */
async function hangingRuns(database: Database): Promise<Leftover[]> {
  const rows = await database.query<{ line: string }>(
    `SELECT format('run %s (%s) is %s, wish %s, due %s; %s', p.id, p.pipeline_name, p.state, p.wish, p.due_at, (
       SELECT string_agg(format('stage %s %s, ending %s: %s', s.place + 1, s.state, s.ending, (
         SELECT string_agg(format('%s devices %s, target run %s, command %s', n, device, target, command), '; ') FROM (
           SELECT count(*) AS n, d.state AS device, t.state AS target, coalesce(c.state, 'none') AS command
           FROM job_planner.stage_device d
           LEFT JOIN job_planner.target_run t ON t.project_id = d.project_id AND t.id = d.target_run_id
           LEFT JOIN command_dispatcher.command c ON c.project_id = d.project_id AND c.id = d.command_id
           WHERE d.project_id = s.project_id AND d.stage_run_id = s.id GROUP BY 2, 3, 4) devices)), '; ' ORDER BY s.place)
       FROM job_planner.stage_run s WHERE s.project_id = p.project_id AND s.pipeline_run_id = p.id)) AS line
     FROM job_planner.pipeline_run p WHERE p.due_at IS NOT NULL ORDER BY p.id LIMIT 5`,
  );
  return rows.map((row) => row.line);
}
