import type { Job } from '@muster/contracts';
import { CloudEvent } from 'cloudevents';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { byEntity, gaps, readEvents, readNotices, type BusEvent, type BusNotice } from './events.js';
import { executionsOf, repetitions } from './executions.js';
import golden from './golden/job.json' with { type: 'json' };
import { Stack } from '../harness/stack.js';

const DEVICES = 2_000;
const UUID = /^[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}$/;

let stack: Stack;

beforeAll(async () => {
  stack = await Stack.start();
});
afterAll(() => stack.stop());

const inState = (events: readonly BusEvent[], state: string) =>
  [...byEntity(events).values()].filter((own) => own.at(-1)?.data.to === state).length;

/** Milliseconds between one and the next. */
const pauses = (notices: readonly BusNotice[]) =>
  notices.slice(1).map(({ time }, index) => Date.parse(time) - Date.parse(notices[index]!.time));

/** What is wrong with an event of this entity. */
function faultsOf(event: BusEvent, entity: string): string[] {
  const faults: string[] = [];
  if (event.type !== `io.muster.${entity}.${event.data.to.toLowerCase()}`)
    faults.push(`${event.id}: type ${event.type}`);
  if (event.subject !== event.data.id) faults.push(`${event.id}: subject ${event.subject}`);
  try {
    new CloudEvent({ ...event });
  } catch (error) {
    faults.push(`${event.id}: ${String(error)}`);
  }
  return faults;
}

describe('the document of a job', () => {
  it('given the two nodes of the documented example, then the live answer is the documented one but for ids, times and the sample’s swapped counts', async () => {
    const fleet = await stack.fleet(['--count', '2', '--prefix', 'golden', '--failure-rate', '0']);
    const { body } = await stack.api<{ devices: { id: string }[] }>('GET', '/api/v1/devices?name_prefix=golden');
    const id = await stack.createJob(
      body.devices.map((device) => device.id),
      {
        job_name: golden.job_name,
        job_content: {
          target_type: 'node',
          targets: body.devices.map((device) => device.id),
          task_data: golden.task_data,
        },
      },
    );
    const job = await stack.reached(id, 'Successful');
    fleet.kill('SIGTERM');
    const shape = (value: unknown, key = ''): unknown => {
      if (Array.isArray(value)) return value.map((item) => shape(item));
      if (typeof value === 'object' && value !== null) {
        return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, shape(inner, name)]));
      }
      if (typeof value === 'string' && UUID.test(value)) return '<uuid>';
      if (typeof value === 'string' && /^golden-\d+$|^test\d$/.test(value)) return '<node>';
      if (key === 'task_name') return String(value).replace(/-[0-9a-f]{5}$/, '-<5>');
      if (key === 'created_at' || key === 'status_last_updated_at') {
        expect(value).toBeGreaterThan(1_600_000_000);
        expect(value).toBeLessThan(10_000_000_000);
        return '<seconds>';
      }
      return value;
    };
    const documented = Object.keys(golden) as (keyof typeof golden)[];
    const live = Object.fromEntries(documented.map((key) => [key, job[key]]));
    expect(shape(live)).toEqual(shape(golden));
  });
});

describe('a job over 2,000 devices of which a tenth fails', () => {
  const counts = (job: Job) => [job.task_success_count, job.task_failed_count, job.task_total_count];

  it.each([
    ['each service', ['job-planner', 'command-dispatcher', 'device-state', 'gateway']],
    ['nats-server and Postgres', ['nats-server', 'postgres']],
  ])(
    'given a kill -9 of %s in the middle, then the counts add up, no device executed twice, and retry runs only what failed',
    async (_, victims) => {
      const prefix = `k-${victims[0]}`;
      const log = join(stack.dataDir, `executions-${victims[0]}.ndjson`);
      const fleet = await stack.fleet([
        '--count',
        String(DEVICES),
        '--prefix',
        prefix,
        '--failure-rate',
        '0.1',
        '--executions',
        log,
      ]);
      const id = await stack.createJob({ name_prefix: prefix }, { rollout: { max_in_flight: 300 } });

      const ended = async () => {
        const { progress } = await stack.job(id);
        return progress.succeeded + progress.failed;
      };
      for (const [place, victim] of victims.entries()) {
        await expect.poll(ended, { timeout: 60_000, interval: 20 }).toBeGreaterThan((DEVICES / 8) * (place + 1));
        await stack.kill(victim);
      }

      const job = await stack.reached(id, 'Partially_successful');
      const [succeeded, failed, total] = counts(job) as [number, number, number];
      expect(total).toBe(DEVICES);
      expect(succeeded + failed).toBe(DEVICES);
      expect(failed).toBeGreaterThan(DEVICES * 0.07);
      expect(failed).toBeLessThan(DEVICES * 0.13);

      const connection = await stack.events();
      const ofJob = async () =>
        (await readEvents(connection, 'muster.evt.demo.job-task.>')).filter((event) => event.data['job_id'] === id);
      await expect.poll(async () => inState(await ofJob(), 'Successful'), { timeout: 20_000 }).toBe(succeeded);
      const tasks = await ofJob();
      expect(inState(tasks, 'Failed')).toBe(failed);
      expect(byEntity(tasks).size).toBe(DEVICES);
      const commands = (await readEvents(connection, 'muster.evt.demo.command.>')).filter(
        (event) => event.data['request_id'] === id,
      );
      expect(inState(commands, 'SUCCESS')).toBe(succeeded);
      expect(inState(commands, 'FAILURE')).toBe(failed);
      expect(gaps(tasks)).toEqual([]);
      expect(gaps(commands)).toEqual([]);
      const told = () => readNotices(connection, `muster.evt.demo.job.progress.${id}`);
      await expect.poll(async () => (await told()).at(-1)?.data, { timeout: 20_000 }).toMatchObject(job.progress);
      const notices = await told();
      expect(notices.map(({ data }) => data.number)).toEqual(notices.map((_, index) => index + 1));
      expect(Math.min(...pauses(notices))).toBeGreaterThanOrEqual(1_000);

      const retried = await stack.api<{ status: string }>('POST', `/v2/demo/productmgr/jobs/${id}/retry`);
      expect(retried).toMatchObject({ status: 200, body: { job_id: id, status: 'Running' } });
      const again = await stack.reached(id, 'Partially_successful', 'Successful');
      expect(again.task_success_count).toBeGreaterThan(succeeded);

      const ran = await executionsOf(fleet, log);
      expect(repetitions(ran)).toEqual([]);
      expect(ran).toHaveLength(DEVICES + failed);
    },
  );
});

describe('a bus that loses what it acknowledged', () => {
  it('given work and statuses that vanish in the middle of a job, then it is asked for again and the counts come out right', async () => {
    const log = join(stack.dataDir, 'executions-lost.ndjson');
    const fleet = await stack.fleet(['--count', '500', '--prefix', 'lost', '--failure-rate', '0', '--executions', log]);
    const id = await stack.createJob({ name_prefix: 'lost' }, { rollout: { max_in_flight: 100 } });
    await expect
      .poll(async () => (await stack.job(id)).progress.succeeded, { timeout: 60_000, interval: 20 })
      .toBeGreaterThan(50);
    const manager = await (await stack.nats()).jetstreamManager();
    for (const stream of ['MUSTER_WORK', 'MUSTER_DEV_STATUS']) await manager.streams.delete(stream);

    // Time passes: what has had no word for a minute is due to be asked for.
    const { postgres } = await stack.file();
    const client = new pg.Client({ connectionString: postgres.url });
    await client.connect();
    const overdue = async () => {
      await client.query(`UPDATE job_planner.job_task SET ask_at = now() WHERE job_id = $1 AND state = 'Running'`, [
        id,
      ]);
      await client.query(`UPDATE job_planner.rollout SET due_at = now() WHERE id = $1 AND due_at IS NOT NULL`, [id]);
      return (await stack.job(id)).status;
    };
    await expect.poll(overdue, { timeout: 60_000, interval: 1_000 }).toBe('Successful');
    await client.end();

    expect((await stack.job(id)).progress).toMatchObject({ targeted: 500, succeeded: 500 });
    const ran = await executionsOf(fleet, log);
    expect(repetitions(ran)).toEqual([]);
    expect(ran).toHaveLength(500);
  });
});

describe('event streams that are lost', () => {
  it('given that all of them are deleted, when they are rebuilt, then the same events are in them again', async () => {
    const connection = await stack.nats();
    const read = async () => {
      const events = new Map<string, BusEvent | BusNotice>();
      for (const entity of ['job', 'job-task', 'command', 'device'])
        for (const event of await readEvents(connection, `muster.evt.demo.${entity}.>`)) events.set(event.id, event);
      for (const event of await readNotices(connection, 'muster.evt.demo.job.>')) events.set(event.id, event);
      return events;
    };
    const before = await read();
    const manager = await connection.jetstreamManager();
    for (const service of ['JOB_PLANNER', 'COMMAND_DISPATCHER', 'DEVICE_STATE'])
      await manager.streams.delete(`MUSTER_EVT_${service}`);
    const { code, stdout, stderr } = await stack.rebuild();
    expect(stderr + stdout).not.toContain('failed');
    expect(code).toBe(0);
    expect(stdout.trim().split('\n')).toEqual(
      ['DEVICE_STATE', 'COMMAND_DISPATCHER', 'JOB_PLANNER'].map(
        (name) => expect.stringMatching(new RegExp(`: \\d+ events published to MUSTER_EVT_${name} in `)) as string,
      ),
    );
    const after = await read();
    expect([...before].filter(([id, event]) => !isDeepStrictEqual(after.get(id), event))).toEqual([]);
    expect(await stack.rebuild('gateway')).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/^gateway is no service with events/) as string,
    });
  });
});

describe('what other systems see', () => {
  it('given everything that happened, then each event is a valid CloudEvent and no version is missing', async () => {
    const connection = await stack.events();
    for (const entity of ['job', 'job-task', 'command', 'device']) {
      const events = await readEvents(connection, `muster.evt.demo.${entity}.>`);
      expect(events.length).toBeGreaterThan(0);
      expect(events.flatMap((event) => faultsOf(event, entity))).toEqual([]);
      expect(gaps(events)).toEqual([]);
    }
  });

  it('given a request with a trace, then its job, tasks and commands carry that trace', async () => {
    const fleet = await stack.fleet(['--count', '1', '--prefix', 'traced']);
    const trace = 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa';
    const { body } = await stack.api<{ job_id: string }>(
      'POST',
      '/v2/demo/productmgr/jobs',
      {
        job_name: 'traced',
        job_type: 'node_upgrade',
        job_content: { target_type: 'node', target_query: { name_prefix: 'traced' } },
      },
      { traceparent: `00-${trace}-bbbbbbbbbbbbbbbb-01` },
    );
    await stack.reached(body.job_id, 'Successful');
    const connection = await stack.events();
    const own = async (filter: string, key: string) =>
      (await readEvents(connection, filter)).filter((event) => event.data[key] === body.job_id);
    await expect.poll(async () => (await own('muster.evt.demo.job.>', 'id')).length, { timeout: 10_000 }).toBe(3);
    const events = [
      ...(await own('muster.evt.demo.job.>', 'id')),
      ...(await own('muster.evt.demo.job-task.>', 'job_id')),
      ...(await own('muster.evt.demo.command.>', 'request_id')),
      ...(await readNotices(connection, `muster.evt.demo.job.progress.${body.job_id}`)),
    ];
    expect(new Set(events.map((event) => event.traceparent?.split('-')[1]))).toEqual(new Set([trace]));
    fleet.kill('SIGTERM');
  });
});
