import type { JsonObject } from '@muster/contracts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Stack } from '../harness/stack.js';
import commandRequest from './golden/command-request.json' with { type: 'json' };
import deviceOperationReport from './golden/device-operation-report.json' with { type: 'json' };
import deviceOperation from './golden/device-operation.json' with { type: 'json' };
import deviceOperations from './golden/device-operations.json' with { type: 'json' };
import operationsOfDevice from './golden/operations-of-device.json' with { type: 'json' };
import { OperationsClient } from './operations.js';

const UUID = /^[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}$/;
const DATE_TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?Z$/;
const WORD = /^[A-Z]+$/;
const DAY_MS = 86_400_000;

let stack: Stack;
let client: OperationsClient;
let devices: string[];

beforeAll(async () => {
  stack = await Stack.start();
  client = new OperationsClient(stack);
  devices = [];
  for (let n = 0; n < 3; n++) devices.push(await client.register({ name: `golden-${n}`, desired: { region: 'eu' } }));
});
afterAll(() => stack?.stop());

/**
 * A document with the format of each value in its place, and of a list that of its elements. Names and their order stay, but for a user's own
 * arguments, which Postgres keeps in an order of its own.
 */
function formatOf(value: unknown): unknown {
  if (Array.isArray(value)) {
    const formats = new Map(value.map((item) => formatOf(item)).map((format) => [JSON.stringify(format), format]));
    return [...formats.values()];
  }
  if (typeof value === 'object' && value !== null)
    return Object.fromEntries(
      Object.entries(value).map(([name, inner]) => [name, formatOf(name === 'arguments' ? sorted(inner) : inner)]),
    );
  if (typeof value === 'number') return Number.isInteger(value) ? 'an integer' : 'a number';
  if (typeof value !== 'string') return typeof value;
  if (UUID.test(value)) return 'a uuid';
  if (DATE_TIME.test(value)) return 'a date-time';
  return WORD.test(value) ? 'a word' : 'a string';
}

const sorted = (document: unknown) => Object.fromEntries(Object.entries(document as object).toSorted());

/** Line by line, so that the order of names counts as well. */
const lines = (document: unknown) => JSON.stringify(formatOf(document), undefined, 1).split('\n');

/** What the documentation shows of a document. */
const documented = <Document extends object>(document: Document, names: readonly string[]) =>
  Object.fromEntries(Object.entries(document).filter(([name]) => names.includes(name)));

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
    expect(told).toMatchObject({ content: { device_id: devices[0], state: 'SUCCESS', reason: 'drift-service: test' } });
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
        client.ask<{ content: JsonObject }>('POST', '/api/commands/v0/commands/', { command: 'PING', devices: named }),
      ),
    );
    expect(requests.map(({ content }) => content['device_id'])).toEqual([null, null]);
    expect(new Set(requests.map(({ content }) => content['enterprise_id'])).size).toBe(1);
  });
});
