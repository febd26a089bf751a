import type {
  Approval,
  DeviceOperation,
  NewOperation,
  Operation,
  OperationState,
  Rollout,
  WaitingEntry,
} from '@muster/contracts';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Stack } from '../harness/stack.js';
import { until as untilWithin } from '../harness/until.js';
import { byEntity, gaps, readEvents } from './events.js';
import { OperationsClient } from './operations.js';

const DEVICES = 150;
/** So many devices are in the first two waves of ten, and of a fifth. */
const BEFORE = 40;
const WAY = ['CREATED', 'INITIATED', 'DISPATCHED', 'PROCESSING', 'COMPLETED', 'SUCCESS'];
const ENDED: OperationState[] = ['SUCCESS', 'FAILURE', 'CANCELLED', 'TIMEOUT'];

let stack: Stack;
let client: OperationsClient;

beforeAll(async () => {
  stack = await Stack.start();
  client = new OperationsClient(stack);
});
afterAll(() => stack?.stop());

const until = <T>(what: string, ask: () => Promise<T>) => untilWithin(what, ask, { timeout: 30_000 });

const statesOf = (part: DeviceOperation) =>
  part.device_operation_activity.map(({ device_operation_state }) => device_operation_state);

const rollOut = (prefix: string, rollout: Rollout, operation: Partial<NewOperation> = {}) =>
  client.create({ operation: 'REBOOT', operation_device_query: { name_prefix: prefix }, rollout, ...operation });

/** A fleet whose devices do everything at once. */
const fleet = async (prefix: string, count: number, options: readonly string[] = [], device = {}) =>
  stack.fleet(['--devices-from', await client.deviceFile(prefix, count, device), '--failure-rate', '0', ...options]);

const pendingApproval = (id: string): Promise<Approval> =>
  until(`an approval for operation ${id}`, async () => {
    const { approvals } = await client.ask<{ approvals: Approval[] }>('GET', '/api/v1/approvals?state=pending');
    return approvals.find(({ subject }) => subject.id === id);
  });

/** The counts of the operation are what its device operations say. */
async function exact({ id, operation_stats, progress }: Operation): Promise<DeviceOperation[]> {
  const parts = await client.parts(id);
  const sent = parts.filter((part) => statesOf(part).includes('DISPATCHED'));
  const failed = parts.filter(({ state }) => state === 'FAILURE' || state === 'TIMEOUT');
  const unsent = failed.filter((part) => !sent.includes(part));
  const succeeded = parts.filter(({ state }) => state === 'SUCCESS').length;
  expect(operation_stats.device_operation_statuses_count).toEqual({
    resolved_device_count: parts.length,
    dispatched_device_count: sent.length,
    dispatch_failed_count: unsent.length,
    failed_device_count: failed.length - unsent.length,
    success_device_count: succeeded,
  });
  expect(progress?.succeeded ?? 0).toBe(succeeded);
  return parts;
}

describe('an operation with a rollout', () => {
  it('given a CONVERGE in waves with an approval, then each wave waits for the one before and for the word, and every device proves it', async () => {
    const desired = { region: 'eu' };
    await fleet('wave', DEVICES, [], { desired });
    const id = await rollOut(
      'wave',
      { waves: [{ count: 10, success_threshold: 100 }, { percent: 20 }, { approval: true }], max_in_flight: 25 },
      { operation: 'CONVERGE', arguments: { converge_with_provision: true } },
    );
    const approval = await pendingApproval(id);
    expect(approval.subject).toMatchObject({ entity: 'operation', name: 'CONVERGE', wave: 3 });
    const halted = await until('the first two waves are done', async () => {
      const operation = await client.get(id);
      return operation.progress?.succeeded === BEFORE ? operation : undefined;
    });
    expect(halted).toMatchObject({
      state: 'DISPATCHING',
      progress: { pending: DEVICES - BEFORE, waiting_for: 'approval' },
    });
    expect((await client.counts(id)).dispatched_device_count).toBe(BEFORE);
    const waits = async (entity: string) => {
      const { waiting } = await client.ask<{ waiting: WaitingEntry[] }>(
        'GET',
        `/api/v1/waiting?limit=1000&entity=${entity}`,
      );
      return waiting.map(({ waits_for }) => waits_for);
    };
    await expect.poll(() => waits('operation')).toEqual(['approval']);
    expect(await waits('device-operation')).toEqual(Array(DEVICES - BEFORE).fill('approval'));
    await client.ask('POST', `/api/v1/approvals/${approval.id}`, { decision: 'approve' });
    const parts = await exact(await client.reached(id, 'SUCCESS'));
    expect(new Set(parts.map((part) => statesOf(part).join()))).toEqual(new Set([WAY.join()]));
    const bus = await stack.events();
    const told = async () =>
      (await readEvents(bus, 'muster.evt.demo.device-operation.>')).filter(({ data }) => data['operation_id'] === id);
    await expect
      .poll(async () => (await told()).length, { timeout: 20_000 })
      .toBeGreaterThanOrEqual(DEVICES * WAY.length);
    const events = await told();
    expect(gaps(events)).toEqual([]);
    expect(byEntity(events).size).toBe(DEVICES);
  });

  it('given a stop rule, then no further device is asked, and the operation fails with the rule as its reason', async () => {
    const log = join(stack.dataDir, 'stopped.ndjson');
    await fleet('broken', 100, ['--failure-rate', '1', '--executions', log]);
    const id = await rollOut('broken', {
      max_in_flight: 5,
      abort: [{ base: 'finished', outcome: 'failed', percent: 50, min_finished: 5, action: 'cancel' }],
    });
    const operation = await client.reached(id, 'FAILURE');
    expect(operation.reason).toMatch(/^stop rule 1: /);
    const parts = await exact(operation);
    const asked = parts.filter((part) => statesOf(part).includes('DISPATCHED')).length;
    expect(asked).toBeGreaterThanOrEqual(5);
    expect(asked).toBeLessThanOrEqual(15);
    expect(parts.filter(({ state }) => state === 'CANCELLED').length).toBeGreaterThanOrEqual(85);
  });

  it('given a wave that falls short of its threshold, then the operation, which cannot be paused, is cancelled with that reason', async () => {
    await fleet('short', 20, ['--failure-rate', '1']);
    const id = await rollOut('short', { waves: [{ count: 4, success_threshold: 100 }, {}] });
    const operation = await client.reached(id, 'FAILURE');
    expect(operation.reason).toMatch(/^wave 1: /);
    const parts = await exact(operation);
    expect(parts.filter(({ state }) => state === 'CANCELLED').length).toBeGreaterThanOrEqual(16);
  });

  it('given tries that fail, then a device is tried again under the same device operation, and ends by its last try', async () => {
    await fleet('again', 10, ['--failure-rate', '1']);
    const id = await rollOut('again', { retry: [{ outcome: 'failed', max: 2, backoff_seconds: 1 }] });
    const parts = await exact(await client.reached(id, 'FAILURE'));
    expect(new Set(parts.map(({ state }) => state))).toEqual(new Set(['FAILURE']));
    const statuses = await client.statuses(
      id,
      parts.map(({ device_id }) => device_id),
    );
    expect(statuses).toHaveLength(30);
  });

  it('given devices that are away, then they take no slot, and go on when they are back', async () => {
    const absent = await client.deviceFile('gone', 20);
    const fleetGone = await stack.fleet(['--devices-from', absent, '--offline-rate', '1']);
    fleetGone.kill('SIGTERM');
    await fleet('gonz', 20);
    const id = await rollOut('gon', { max_in_flight: 5 });
    await until(
      'those that are there are done',
      async () => (await client.get(id)).progress?.succeeded === 20 || undefined,
    );
    expect((await client.get(id)).progress).toMatchObject({ offline: 20, waiting_for: 'offline' });
    await stack.fleet(['--devices-from', absent]);
    await exact(await client.reached(id, 'SUCCESS'));
  });

  it('given a cancel while it waits for a window, or between waves, then nothing stays open, and a second one changes nothing', async () => {
    await fleet('stopped', 50);
    const later = new Date(Date.now() + 86_400_000).toISOString();
    const rollouts: Rollout[] = [
      { start_at: later },
      { waves: [{ count: 5, approval: true }, {}] },
      { waves: [{ count: 5, soak_seconds: 3_600 }, {}] },
    ];
    for (const rollout of rollouts) {
      const id = await rollOut('stopped', rollout);
      if (rollout.waves?.[0]?.approval) await pendingApproval(id);
      if (rollout.waves?.[0]?.soak_seconds)
        await until('five are done', async () => (await client.counts(id)).success_device_count === 5 || undefined);
      await client.cancel(id, 'changed my mind');
      const operation = await client.reached(id, 'CANCELLED');
      expect(operation.reason).toBe('changed my mind');
      const parts = await exact(
        await until('its rollout has heard of it', async () => {
          const now = await client.get(id);
          return now.progress == null || now.progress.waiting_for === null ? now : undefined;
        }),
      );
      expect(parts.every(({ state }) => state === 'CANCELLED' || state === 'SUCCESS')).toBe(true);
      const before = await client.get(id);
      await client.cancel(id, 'again');
      expect(await client.get(id)).toEqual(before);
    }
    const { approvals } = await client.ask<{ approvals: Approval[] }>('GET', '/api/v1/approvals?state=pending');
    expect(approvals).toEqual([]);
  });

  it.each([
    [
      'rollout.abort.0.action',
      { rollout: { abort: [{ base: 'finished', outcome: 'any', count: 1, action: 'pause' }] } },
    ],
    [
      'rollout.abort.0.action',
      { rollout: { abort: [{ base: 'finished', outcome: 'any', count: 1, action: 'rollback' }] } },
    ],
    ['rollout.membership', { rollout: { membership: 'continuous', end_at: '2058-01-01T00:00:00Z' } }],
    [
      'rollout.waves.0.query.group',
      { rollout: { waves: [{ query: { group: '01890000-0000-7000-8000-000000000009' } }, {}] } },
    ],
    ['rollout.max_in_flight', { rollout: { max_in_flight: 0 } }],
    [
      'schedule_type',
      {
        rollout: {},
        schedule_type: 'WINDOW',
        schedule_args: {
          start_datetime: '2057-01-01T00:00:00Z',
          end_datetime: '2057-02-01T00:00:00Z',
          window_start_time: '01:00:00',
          window_end_time: '02:00:00',
        },
      },
    ],
  ])('given a rollout that an operation cannot have, then %s is named and nothing is made', async (field, wrong) => {
    const list = () => client.ask<{ count: number }>('GET', '/api/v0/operations/?limit=1');
    const { count } = await list();
    const body = { operation: 'REBOOT', operation_device_query: { name_prefix: 'stopped' }, ...wrong };
    const answer = await stack.api<{ errors: { field: string }[] }>('POST', '/api/v0/operations/', body);
    expect([answer.status, answer.body.errors.map((error) => error.field)]).toEqual([400, [field]]);
    expect((await list()).count).toBe(count);
  });

  it('given job-planner and device-state that are killed on the way, then it ends right all the same', async () => {
    await fleet('killed', 80);
    const id = await rollOut('killed', { waves: [{ count: 20 }, {}], rate_per_minute: 1_200 });
    // While a service is away, what depends on it is refused.
    const done = () =>
      client.get(id).then(
        ({ progress }) => progress?.succeeded ?? 0,
        () => undefined,
      );
    for (const service of ['job-planner', 'device-state'] as const) {
      const before = await until('an answer', done);
      await until('more are done', async () => ((await done()) ?? 0) > before);
      await stack.kill(service);
    }
    const ended = async () => {
      const operation = await client.get(id).catch(() => undefined);
      return operation && ENDED.includes(operation.state) ? operation : undefined;
    };
    const operation = await until('the end of the operation', ended);
    expect(operation.state).toBe('SUCCESS');
    const parts = await exact(operation);
    expect(new Set(parts.map((part) => statesOf(part).join()))).toEqual(new Set([WAY.join()]));
  });
});
