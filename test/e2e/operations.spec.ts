import type { DeploymentSummary, Drift, JsonObject } from '@muster/contracts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Stack } from '../harness/stack.js';
import { documented, lines } from './formats.js';
import commandRequest from './golden/command-request.json' with { type: 'json' };
import deviceOperationReport from './golden/device-operation-report.json' with { type: 'json' };
import deviceOperation from './golden/device-operation.json' with { type: 'json' };
import deviceOperations from './golden/device-operations.json' with { type: 'json' };
import operationsOfDevice from './golden/operations-of-device.json' with { type: 'json' };
import { OperationsClient } from './operations.js';

const DEVICES = 10;
const DEPLOYMENT = '0198c000-0000-7000-8000-00000000d001';
const DAY_MS = 86_400_000;

let stack: Stack;
let client: OperationsClient;
let devices: string[];

beforeAll(async () => {
  stack = await Stack.start();
  client = new OperationsClient(stack);
});
afterAll(() => stack?.stop());

describe('the documents, while there are three devices', () => {
  beforeAll(async () => {
    devices = [];
    for (let n = 0; n < 3; n++) devices.push(await client.register({ name: `golden-${n}`, desired: { region: 'eu' } }));
  });

  describe('the documents of operations', () => {
    const asDocumented = {
      operation: 'CONVERGE',
      schedule_type: 'WINDOW',
      operation_device_query: {},
      arguments: { converge_with_provision: true, sample_key: 'string' },
      reason: 'a reason',
    } as const;

    /** A window that is open, with every argument that there is. */
    const openWindow = () => ({
      start_datetime: new Date(Date.now() - DAY_MS).toISOString(),
      end_datetime: new Date(Date.now() + DAY_MS).toISOString(),
      time_type: 'console' as const,
      window_start_time: '2019-08-24T00:00:00Z',
      window_end_time: '2019-08-24T23:59:59Z',
      days: [0, 1, 2, 3, 4, 5, 6],
    });

    it('given operations of a device, when their second page is read, then it is the documented document', async () => {
      for (let made = 0; made < 3; made++) {
        const id = await client.create({ ...asDocumented, schedule_args: openWindow() });
        await expect.poll(async () => (await client.parts(id)).length).toBe(devices.length);
      }
      const page = await client.ask<object>('GET', `/api/v0/devices/${devices[0]}/operations/?limit=1&offset=1`);
      expect(lines(page)).toEqual(lines(operationsOfDevice));
      expect(page).toMatchObject({ count: 3, results: [asDocumented] });
    });

    it('given the device operations of an operation, then pages and single ones are the documented documents, and take the documented report', async () => {
      const id = await client.create({ ...asDocumented, schedule_args: openWindow() });
      await expect.poll(async () => (await client.parts(id)).length).toBe(devices.length);
      const path = `/api/v0/operations/${id}/devices/`;
      const page = await client.ask<{ content: object }>('GET', `${path}?limit=1&offset=1`);
      expect(lines(page)).toEqual(lines(deviceOperations));
      expect(page.content).toMatchObject({ count: 3 });
      const one = `${path}${devices[0]}/`;
      expect(lines(await client.ask('GET', one))).toEqual(lines(deviceOperation));
      const told = await client.ask('PUT', one, deviceOperationReport);
      expect(lines(told)).toEqual(lines(deviceOperation));
      expect(told).toMatchObject({
        content: { device_id: devices[0], state: 'SUCCESS', reason: 'drift-service: test' },
      });
    });
  });

  describe('the document of a command request', () => {
    it('given a command to one device, then every documented field that is no pipeline’s is there', async () => {
      const names = Object.keys(commandRequest.content);
      const created = await client.ask<{ content: JsonObject }>('POST', '/api/commands/v0/commands/', {
        command: 'REBOOT',
        devices: [devices[0]],
      });
      const { content, ...envelope } = await client.ask<{ content: JsonObject }>(
        'GET',
        `/api/commands/v0/commands/${String(created.content['id'])}/`,
      );
      expect(created.content).toMatchObject({ ...content, updated_at: created.content['updated_at'] });
      const formats = { ...commandRequest, content: { ...commandRequest.content, command: 'WORD' } };
      expect(lines({ ...envelope, content: documented(content, names) })).toEqual(lines(formats));
      expect(content).toMatchObject({
        command_type: 'DEVICE',
        device_type: 'all',
        device_id: devices[0],
        schedule: 'IMMEDIATE',
        args: {},
        request_id: content['id'],
        request_status: 'running',
        request_status_reason: '',
      });
    });

    it('given a command to several devices, then it is of no one device, and of the same project', async () => {
      const requests = await Promise.all(
        [devices, devices.slice(1)].map((named) =>
          client.ask<{ content: JsonObject }>('POST', '/api/commands/v0/commands/', {
            command: 'PING',
            devices: named,
          }),
        ),
      );
      expect(requests.map(({ content }) => content['device_id'])).toEqual([null, null]);
      expect(new Set(requests.map(({ content }) => content['enterprise_id'])).size).toBe(1);
    });
  });
});

describe('on devices that are there', () => {
  beforeAll(async () => {
    await stack.fleet(['--count', String(DEVICES), '--prefix', 'kind']);
    devices = await client.devices('kind');
  });

  const all = { operation_device_query: { name_prefix: 'kind' } };

  /** Has all devices do it, and waits until they have. */
  const done = async (operation: string, given: Record<string, unknown>) => {
    const id = await client.create({ operation, ...all, arguments: given });
    const { operation_stats } = await client.reached(id, 'SUCCESS', 'FAILURE');
    expect(operation_stats.device_operation_statuses_count).toMatchObject({ success_device_count: DEVICES });
    return id;
  };

  const deploymentsOf = async (device: string) =>
    (await client.ask<{ deployments: DeploymentSummary[] }>('GET', `/api/v1/deployments?device_id=${device}`))
      .deployments;

  describe('each kind of operation on the devices of a query', () => {
    it('given a deployment, then its devices have it, and an upgrade gives it another version', async () => {
      const [device] = devices as [string];
      await done('deployment_deploy', { deployment_id: DEPLOYMENT, name: 'web', version: '1.2.0' });
      await expect
        .poll(() => deploymentsOf(device))
        .toMatchObject([{ name: 'web', version: '1.2.0', state: 'DEPLOYED' }]);
      await done('deployment_upgrade', { deployment_id: DEPLOYMENT, version: '1.3.0' });
      await expect
        .poll(() => deploymentsOf(device))
        .toMatchObject([{ name: 'web', version: '1.3.0', state: 'UPGRADED' }]);
    });

    it('given a reboot, then each device proves it by another boot id', async () => {
      const commands = await client.statuses(await done('REBOOT', {}), devices);
      expect(commands).toHaveLength(DEVICES);
      for (const { state, evidence } of commands) {
        const { before, after } = evidence;
        expect([state, before, after]).toEqual(['SUCCESS', expect.any(String), expect.any(String)]);
        expect(before).not.toBe(after);
      }
    });

    it('given an upgrade of the node, then the devices prove and report its version', async () => {
      const commands = await client.statuses(await done('node_upgrade', { version: '2.0.1' }), devices);
      expect(commands.map(({ evidence }) => evidence)).toEqual(
        Array.from({ length: DEVICES }, () => ({ before: '1.0.0', after: '2.0.1' })),
      );
      const versionOf = async () =>
        (await client.ask<{ reported: { version?: string } }>('GET', `/api/v1/devices/${devices[0]}`)).reported.version;
      await expect.poll(versionOf).toBe('2.0.1');
    });

    it('given a window that opens in a moment, then nothing is sent before it does', async () => {
      const opens = new Date(Math.ceil(Date.now() / 1000) * 1000 + 8_000);
      const id = await client.create({
        operation: 'PING',
        ...all,
        schedule_type: 'WINDOW',
        schedule_args: {
          end_datetime: new Date(opens.getTime() + 3_600_000).toISOString(),
          time_type: 'console',
          window_start_time: opens.toISOString().slice(11, 19),
          window_end_time: new Date(opens.getTime() + 3_600_000).toISOString().slice(11, 19),
        },
      });
      expect(await client.reached(id, 'SCHEDULED')).toMatchObject({ schedule_type: 'WINDOW' });
      const { operation_activity } = await client.reached(id, 'SUCCESS');
      const resolving = operation_activity.find(({ operation_state }) => operation_state === 'RESOLVING');
      expect(Date.parse(resolving!.created_at)).toBeGreaterThanOrEqual(opens.getTime());
      for (const part of await client.parts(id))
        for (const { device_operation_state, created_at } of part.device_operation_activity)
          expect([device_operation_state, Date.parse(created_at) >= opens.getTime()]).toEqual([
            device_operation_state,
            true,
          ]);
    });

    it('given devices that are away, when it is cancelled, then so are its device operations and their commands', async () => {
      const away: string[] = [];
      for (let n = 0; n < 3; n++) away.push(await client.register({ name: `away-${n}` }));
      const id = await client.create({ operation: 'REBOOT', operation_device_query: { ids: away } });
      await client.reached(id, 'DISPATCHED');
      await expect.poll(async () => (await client.statuses(id, away)).length).toBe(away.length);
      await client.cancel(id, 'no longer wanted');
      expect(await client.reached(id, 'CANCELLED')).toMatchObject({ reason: 'no longer wanted' });
      expect((await client.parts(id)).map(({ state }) => state)).toEqual(away.map(() => 'CANCELLED'));
      expect((await client.statuses(id, away)).map(({ state }) => state)).toEqual(away.map(() => 'CANCELLED'));
    });
  });

  describe('commands to more than listed devices', () => {
    it('given a group and a query, then their devices get them, and the stats count these', async () => {
      const some = devices.slice(0, 4);
      const { id: group } = await client.ask<{ id: string }>('POST', '/api/v1/groups', {
        name: 'some',
        device_ids: some,
      });
      const toGroup = await client.command({ command: 'PING', command_type: 'GROUP', groups: [group] });
      const toQuery = await client.command({
        command: 'PING',
        command_type: 'DYNAMIC',
        query: { and: [{ name_prefix: 'kind' }, { not: { group } }] },
      });
      await expect.poll(() => client.stats(toGroup)).toMatchObject({ total: some.length, SUCCESS: some.length });
      const others = DEVICES - some.length;
      await expect.poll(() => client.stats(toQuery)).toMatchObject({ total: others, SUCCESS: others });
      const reached = (await client.statuses(toGroup, devices)).map(({ device }) => device);
      expect(reached.toSorted()).toEqual(some.toSorted());
    });
  });

  describe('devices that drift', () => {
    it('given an operation that wants them converged again once, then they are, and what drifts once more is left alone', async () => {
      const file = await client.deviceFile('drifter', 3, { desired: { region: 'eu' } });
      await stack.fleet(['--devices-from', file, '--drifting', '1']);
      const id = await client.create({
        operation: 'CONVERGE',
        operation_device_query: { name_prefix: 'drifter' },
        arguments: { converge_with_provision: true, reconverge: { max: 1 } },
      });
      await client.reached(id, 'SUCCESS');
      const drifts = async () =>
        (await client.ask<{ drifts: Drift[] }>('GET', '/api/v1/drifts?state=DRIFTED')).drifts.map(
          ({ reason, source_id, attempts }) => ({ reason, source_id, attempts }),
        );
      const left = {
        reason: `left alone: converged again once in 86400 s for operation ${id}`,
        source_id: id,
        attempts: 1,
      };
      await expect.poll(drifts, { timeout: 40_000 }).toEqual([left, left, left]);
    });
  });
});
