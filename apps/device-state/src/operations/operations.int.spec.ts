import { operations } from '@muster/contracts';
import fc from 'fast-check';
import { v7 as uuid } from 'uuid';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { MAKER, RunningOperations } from '../testing/running-operations.js';

let running: RunningOperations;

beforeAll(async () => {
  running = await RunningOperations.start();
});
afterAll(() => running.stop());

const WHOLE = ['CREATED', 'RESOLVING', 'RESOLVED', 'DISPATCHING', 'DISPATCHED', 'PROCESSING', 'COMPLETED'];
const PART = ['CREATED', 'INITIATED', 'DISPATCHED', 'PROCESSING', 'COMPLETED'];

describe('an operation', () => {
  it('given three devices, when all do it, then it passes through every state, and so do its device operations', async () => {
    const devices = await running.devices(3, { timezone: 'Asia/Tokyo' });
    const id = await running.create(devices, { arguments: { force: true } });
    const items = await running.askedFor(id, 3);
    expect(running.requests.find(({ head }) => head.request_id === id)!.head).toMatchObject({
      command: 'REBOOT',
      args: { force: true },
      in_progress_seconds: 3_600,
      reply_to: 'muster.work.device-state.operation_outcome',
      steps_to: 'muster.work.device-state.operation_step',
    });
    expect(items.map(({ timezone }) => timezone)).toEqual(['Asia/Tokyo', 'Asia/Tokyo', 'Asia/Tokyo']);
    expect((await running.reached(id, 'DISPATCHED')).operation_stats.device_operation_statuses_count).toEqual({
      resolved_device_count: 3,
      dispatched_device_count: 0,
      dispatch_failed_count: 0,
      failed_device_count: 0,
      success_device_count: 0,
    });
    await running.step(id, items, 'INITIATED');
    await running.reached(id, 'PROCESSING');
    await running.exact(id);
    await running.step(id, items, 'ACKNOWLEDGED');
    await running.partReached(id, devices[0]!, 'PROCESSING');
    await running.answer(id, items);
    const operation = await running.reached(id, 'SUCCESS');
    await running.exact(id);
    expect(operation.operation_activity.map(({ operation_state }) => operation_state)).toEqual([...WHOLE, 'SUCCESS']);
    const part = await running.part(id, devices[1]!);
    const states = part.device_operation_activity.map(({ device_operation_state }) => device_operation_state);
    expect(states).toEqual([...PART, 'SUCCESS']);
    const times = part.device_operation_activity.map(({ created_at }) => Date.parse(created_at));
    expect(times).toEqual(times.toSorted((a, b) => a - b));
    await vi.waitUntil(() => running.state.service.statesOf(part.id).at(-1) === 'SUCCESS');
    expect(running.state.service.statesOf(part.id)).toEqual(states);
    await vi.waitUntil(() => running.state.service.statesOf(id).at(-1) === 'SUCCESS');
    expect(running.state.service.statesOf(id)).toEqual([...WHOLE, 'SUCCESS']);
  });

  it('given outcomes that overtake their steps, then every state is passed all the same, and late steps change nothing', async () => {
    const [device] = await running.devices(1);
    const id = await running.create([device!]);
    const items = await running.askedFor(id, 1);
    await running.answer(id, items, 'FAILURE', 'exit_1');
    await running.reached(id, 'FAILURE');
    await running.step(id, items, 'INITIATED');
    await running.step(id, items, 'INPROGRESS');
    await running.answer(id, items, 'SUCCESS');
    const other = await running.create([device!]);
    await running.answer(other, await running.askedFor(other, 1));
    await running.reached(other, 'SUCCESS');
    const part = await running.part(id, device!);
    const states = part.device_operation_activity.map(({ device_operation_state }) => device_operation_state);
    expect([part.reason, states]).toEqual(['exit_1', [...PART, 'FAILURE']]);
    expect((await running.operation(id)).reason).toBe('1 of 1 devices did not succeed');
    await running.exact(id);
  });

  it.each([
    ['TIMEOUT', 'never_contacted', ['CREATED', 'INITIATED', 'TIMEOUT'], { dispatch_failed_count: 1 }],
    ['FAILURE', 'unknown_device', ['CREATED', 'INITIATED', 'FAILURE'], { dispatch_failed_count: 1 }],
    ['TIMEOUT', 'window_missed', ['CREATED', 'INITIATED', 'TIMEOUT'], { dispatch_failed_count: 1 }],
    [
      'TIMEOUT',
      'in_progress_timeout',
      ['CREATED', 'INITIATED', 'DISPATCHED', 'TIMEOUT'],
      { dispatched_device_count: 1, failed_device_count: 1 },
    ],
  ] as const)('given a command that ended %s by %s, then it is counted by whether it was sent', async (...given) => {
    const [status, code, states, counts] = given;
    const [device] = await running.devices(1);
    const id = await running.create([device!]);
    await running.answer(id, await running.askedFor(id, 1), status, code);
    await running.reached(id, 'FAILURE');
    const part = await running.part(id, device!);
    expect(part.device_operation_activity.map(({ device_operation_state }) => device_operation_state)).toEqual(states);
    expect(await running.counts(id)).toEqual({
      resolved_device_count: 1,
      dispatched_device_count: 0,
      dispatch_failed_count: 0,
      failed_device_count: 0,
      success_device_count: 0,
      ...counts,
    });
    await running.exact(id);
  });

  it('given 1,201 devices of a query, then each is asked once, in batches of no more than 500', async () => {
    const devices = await running.devices(1_201, { tags: ['many'] });
    const { id } = await running.ask({ operation_device_query: { tags: ['many'] } });
    const items = await running.askedFor(id, 1_201);
    expect(new Set(items.map(({ device_id }) => device_id))).toEqual(new Set(devices));
    const batches = running.requests.filter(({ head }) => head.request_id === id);
    expect(batches.every((batch) => batch.items.length <= 500)).toBe(true);
    await running.answer(id, items);
    expect((await running.reached(id, 'SUCCESS')).operation_stats.device_operation_statuses_count).toMatchObject({
      resolved_device_count: 1_201,
      success_device_count: 1_201,
    });
    await running.exact(id);
    const { count, results } = await running.parts(id, 'SUCCESS');
    expect([count, results.length]).toEqual([1_201, 1_000]);
  });

  it('given a query that matches nothing, then it fails and says so', async () => {
    const { id } = await running.ask({ operation_device_query: { tags: ['nobody'] } });
    const operation = await running.reached(id, 'FAILURE');
    expect(operation.reason).toBe('no device to work on');
    expect(operation.operation_activity.map(({ operation_state }) => operation_state)).toEqual([...WHOLE, 'FAILURE']);
  });

  it('given outcomes twice, late, of an older command and of a stranger, then the counts stay exact', async () => {
    const devices = await running.devices(20);
    const id = await running.create(devices);
    const items = await running.askedFor(id, 20);
    const storm = [
      running.answer(id, items.slice(0, 15)),
      running.step(id, items, 'ACKNOWLEDGED'),
      running.answer(id, items.slice(5, 20), 'FAILURE', 'exit_1'),
      running.step(id, items, 'INITIATED'),
      running.answer(id, items.slice(0, 10).reverse(), 'TIMEOUT', 'never_contacted'),
      running.answer(
        id,
        [
          { ...items[3]!, command_id: uuid() },
          { ...items[4]!, ref: uuid() },
        ],
        'FAILURE',
      ),
      running.answer(id, [...items, ...items], 'CANCELLED'),
    ];
    await Promise.all(storm);
    await running.reached(id, 'SUCCESS', 'FAILURE');
    await running.exact(id);
    const ends = ['SUCCESS', 'FAILURE', 'TIMEOUT', 'CANCELLED'] as const;
    const counted = await Promise.all(ends.map(async (state) => (await running.parts(id, state)).count));
    expect(counted.reduce((sum, n) => sum + n, 0)).toBe(20);
  });

  it('given outcomes, steps, reports and cancels in any order, any number of times, then the counts are exact all along', async () => {
    const share = <T>(items: readonly T[]) => fc.subarray([...items]);
    for (const operation of ['REBOOT', 'CONVERGE']) {
      const devices = await running.devices(12, { desired: { v: 1 } });
      const id = await running.create(devices, { operation, arguments: { converge_with_provision: true } });
      const items = await running.askedFor(id, 12);
      const happening = fc.oneof(
        fc.record({
          what: fc.constantFrom('SUCCESS', 'FAILURE', 'TIMEOUT', 'CANCELLED'),
          code: fc.constantFrom('', 'exit_1', 'never_contacted'),
          of: share(items),
        }),
        fc.record({ what: fc.constantFrom('INITIATED', 'ACKNOWLEDGED', 'INPROGRESS'), of: share(items) }),
        fc.record({ what: fc.constantFrom('report', 'cancel'), of: fc.constantFrom(...items).map((item) => [item]) }),
      );
      for (const storm of fc.sample(fc.array(happening, { minLength: 4, maxLength: 8 }), { seed: 7, numRuns: 6 })) {
        await Promise.all(
          storm.map(async (one) => {
            if (one.what === 'report') return running.report(one.of[0]!.device_id, { v: 1 });
            if (one.what === 'cancel') return running.cancelDevice(id, one.of[0]!.device_id).catch(() => undefined);
            if ('code' in one) return running.answer(id, one.of, one.what, one.code);
            return running.step(id, one.of, one.what);
          }),
        );
        await running.exact(id);
      }
      for (const { device_id } of items) running.report(device_id, { v: 1 });
      await running.answer(id, items);
      await running.reached(id, 'SUCCESS', 'FAILURE');
      await running.exact(id);
    }
  });

  it('given a create that is asked again, then the same operation answers and nothing is asked twice', async () => {
    const [device] = await running.devices(1);
    const id = uuid();
    const body = { operation_device_query: { ids: [device!] } };
    const first = await running.ask(body, id);
    await running.askedFor(id, 1);
    expect((await running.ask(body, id)).created_at).toBe(first.created_at);
    await running.answer(id, running.asked(id));
    await running.reached(id, 'SUCCESS');
    expect(running.asked(id)).toHaveLength(1);
  });

  it('given a service that was away, then an open operation goes on where it was', async () => {
    const devices = await running.devices(2);
    const id = await running.create(devices);
    const items = await running.askedFor(id, 2);
    await running.answer(id, items.slice(0, 1));
    await running.partReached(id, items[0]!.device_id, 'SUCCESS');
    await running.state.restart(() => running.answer(id, items.slice(1)));
    await running.reached(id, 'SUCCESS');
    await running.exact(id);
  });

  it('given a command without a word for long, then it is asked for again, and nothing else', async () => {
    const devices = await running.devices(2);
    const id = await running.create(devices);
    const items = await running.askedFor(id, 2);
    await running.answer(id, items.slice(0, 1));
    await running.partReached(id, items[0]!.device_id, 'SUCCESS');
    const before = running.requests.length;
    await running.state.query(
      `UPDATE device_operation SET ask_at = now() WHERE operation_id = $1 AND ask_at IS NOT NULL`,
      [id],
    );
    await running.state.query(`UPDATE operation SET wake_at = now() WHERE id = $1`, [id]);
    await vi.waitUntil(() => running.requests.slice(before).some(({ head }) => head.request_id === id), {
      timeout: 10_000,
    });
    const again = running.requests.slice(before).filter(({ head }) => head.request_id === id);
    expect(again.flatMap((batch) => batch.items)).toEqual([items[1]]);
    await running.answer(id, items.slice(1));
    await running.reached(id, 'SUCCESS');
  });

  it('given an operation whose time is up, then what is open is cancelled and all of it is TIMEOUT', async () => {
    const devices = await running.devices(2);
    const id = await running.create(devices);
    const items = await running.askedFor(id, 2);
    await running.state.query(`UPDATE operation SET deadline = now(), wake_at = now() WHERE id = $1`, [id]);
    await vi.waitUntil(() => running.cancelled(id).length === 2, { timeout: 10_000 });
    await running.answer(id, items, 'CANCELLED');
    expect((await running.reached(id, 'TIMEOUT')).reason).toBe('its time was up');
    expect((await running.parts(id, 'TIMEOUT')).count).toBe(2);
    await running.exact(id);
  });
});

describe('a schedule whose end is far away', () => {
  it.each(['2099-12-31T23:59:59Z', '9999-12-31T23:59:59Z'])(
    'given %s, then its commands wait as long as commands can',
    async (end_datetime) => {
      const devices = await running.devices(1);
      const id = await running.create(devices, { schedule_type: 'WINDOW', schedule_args: { end_datetime } });
      await running.askedFor(id, 1);
      const { head } = running.requests.find((batch) => batch.head.request_id === id)!;
      expect(head.offline_seconds).toBe(2_147_483_647);
    },
  );
});

describe('what is refused', () => {
  it.each([
    [{ operation_device_query: { ids: [MAKER] } }, `operation_device_query.ids: no such device: ${MAKER}`],
    [{ schedule_type: 'WINDOW' }, 'schedule_args: is required for WINDOW'],
    [
      { schedule_type: 'WINDOW', schedule_args: { end_datetime: '9999-12-31T23:59:59-12:00' } },
      'operation.schedule_args.end_datetime: must match format "date-time"',
    ],
    [
      { operation: 'CONVERGE', arguments: { converge_with_provision: 'yes' } },
      'arguments.converge_with_provision: must be boolean',
    ],
  ] as const)('given %j, then it names the field and nothing is created', async (operation, message) => {
    const id = uuid();
    await expect(running.ask(operation as object, id)).rejects.toMatchObject({ kind: 'invalid', message });
    await expect(running.operation(id)).rejects.toMatchObject({ kind: 'not_found' });
  });

  it('given another project, then nothing of this one is found there', async () => {
    const [device] = await running.devices(1);
    const id = await running.create([device!]);
    await running.askedFor(id, 1);
    const elsewhere = { project_id: 'elsewhere' };
    const key = { ...elsewhere, operation_id: id, device_id: device! };
    const asked = [
      running.state.call(operations.getOperation, { ...elsewhere, id }),
      running.state.call(operations.cancelOperation, { ...elsewhere, id, reason: '', by: MAKER }),
      running.state.call(operations.listDeviceOperations, { ...elsewhere, operation_id: id, limit: 1, offset: 0 }),
      running.state.call(operations.getDeviceOperation, key),
      running.state.call(operations.cancelDeviceOperation, { ...key, reason: '' }),
      running.state.call(operations.listOperationsOfDevice, { ...elsewhere, device_id: device!, limit: 1, offset: 0 }),
    ];
    for (const answer of await Promise.allSettled(asked))
      expect(answer).toMatchObject({ status: 'rejected', reason: { kind: 'not_found' } });
    await running.cancel(id);
  });
});
