import { deviceState } from '@muster/contracts';
import { once } from 'node:events';
import { request as httpRequest, type ClientRequest, type IncomingMessage } from 'node:http';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { BulkAnswer } from '../families/fleet/fleet.dto.js';
import { ADMIN_TOKEN, startGateway, type TestGateway } from '../testing/gateway.harness.js';
import { answerRpc, FakeDeviceState } from '../testing/services.fake.js';

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

const BULK = '/api/v1/devices/bulk';
const TYPE = { 'content-type': 'application/x-ndjson' };

let gateway: TestGateway;
let fleet: FakeDeviceState;

beforeAll(async () => {
  gateway = await startGateway();
  fleet = new FakeDeviceState(gateway.bus);
});

afterAll(() => gateway.stop());

beforeEach(async () => {
  await fleet.stop();
  fleet.devices.clear();
  fleet.batches.length = 0;
  await fleet.start();
});

const bulk = async (body: string): Promise<BulkAnswer[]> => {
  const answer = await gateway.ask('POST', BULK, { body, headers: TYPE });
  expect(answer.status).toBe(200);
  expect(answer.headers.get('content-type')).toMatch(/^application\/x-ndjson/);
  const lines = answer.text.split('\n');
  expect(lines.pop()).toBe('');
  return lines.map((line) => JSON.parse(line) as BulkAnswer);
};

/** What is really held, without what only waits to be collected. */
const liveMegabytes = (): number => {
  collectGarbage();
  const { arrayBuffers, heapUsed } = process.memoryUsage();
  return (heapUsed + arrayBuffers) / 2 ** 20;
};

/** A request whose body is written bit by bit, and whose answer is read while it is. */
const open = (): { request: ClientRequest; response: Promise<IncomingMessage> } => {
  const headers = { ...TYPE, authorization: `Bearer ${ADMIN_TOKEN}` };
  const request = httpRequest(gateway.url + BULK, { method: 'POST', headers });
  const response = once(request, 'response').then(([message]) => message as IncomingMessage);
  return { request, response };
};

describe('given a stream of lines', () => {
  it('when all are good, then each is answered in order, and asking again makes nothing twice', async () => {
    const lines = ['a', 'b', 'c'].map((name) => JSON.stringify({ name })).join('\n');
    const first = await bulk(lines);
    expect(first).toMatchObject([
      { line: 1, status: 'created', name: 'a' },
      { line: 2, status: 'created', name: 'b' },
      { line: 3, status: 'created', name: 'c' },
    ]);
    const again = await bulk(`${lines}\n`);
    expect(again).toEqual(first.map((answer) => ({ ...answer, status: 'exists' })));
    expect(fleet.devices.size).toBe(3);
  });

  it('when some are bad, then they say why and stop nothing; blank ones are counted and not answered', async () => {
    const answers = await bulk(
      [
        '{"name":"one"}',
        '',
        'not json',
        '{"name":"two"}\r',
        '{"nome":"three"}',
        '[]',
        '   ',
        `{"name":"long","alias":"${'x'.repeat(70_000)}"}`,
        '{"name":"deep","attributes":' + '{"a":'.repeat(5_000) + '1' + '}'.repeat(5_001),
        '{"name":"far","timezone":"Mars/Base"}',
        '{"name":"one"}',
        '{"name":"nul\\u0000"}',
        '{"name":"last"}',
      ].join('\n'),
    );
    expect(answers).toMatchObject([
      { line: 1, status: 'created', name: 'one' },
      { line: 3, status: 'error', message: 'not JSON' },
      { line: 4, status: 'created', name: 'two' },
      { line: 5, status: 'error', message: expect.stringMatching(/name|nome/) as string },
      { line: 6, status: 'error' },
      { line: 8, status: 'error', message: 'longer than 65536 bytes' },
      { line: 9, status: 'error', message: `attributes${'.a'.repeat(64)}: nested deeper than 64 levels` },
      { line: 10, status: 'error', name: 'far', message: 'timezone: is not an IANA time zone' },
      { line: 11, status: 'exists', name: 'one', id: answers[0]!.id },
      { line: 12, status: 'error', message: expect.stringMatching(/name/) as string },
      { line: 13, status: 'created', name: 'last' },
    ]);
    expect(fleet.devices.size).toBe(3);
  });

  it('when there is nothing, then nothing is answered', async () => {
    expect((await gateway.ask('POST', BULK)).text).toBe('');
    expect((await gateway.ask('POST', BULK, { body: '\n\n', headers: TYPE })).text).toBe('');
  });

  it.each(['application/json', 'text/plain'])(
    'when it comes as %s, then it is 415 as a problem document',
    async (type) => {
      const answer = await gateway.ask('POST', BULK, { body: '{"name":"a"}', headers: { 'content-type': type } });
      expect([answer.status, answer.json()]).toMatchObject([415, { title: 'Unsupported Media Type' }]);
    },
  );

  it('when a viewer sends it, then it is 403', async () => {
    const token = await gateway.token('viewer');
    expect((await gateway.ask('POST', BULK, { token, body: '{"name":"a"}', headers: TYPE })).status).toBe(403);
  });
});

describe('given a sender that takes its time', () => {
  it('when it waits after a line, then that line is answered before the next is sent', async () => {
    const { request, response } = open();
    request.write('{"name":"early"}\n');
    const message = await response;
    const lines = createInterface({ input: message })[Symbol.asyncIterator]();
    const early = await lines.next();
    expect(JSON.parse(String(early.value))).toMatchObject({ line: 1, status: 'created', name: 'early' });
    request.end('{"name":"late"}');
    const late = await lines.next();
    expect(JSON.parse(String(late.value))).toMatchObject({ line: 2, status: 'created', name: 'late' });
    expect((await lines.next()).done).toBe(true);
  });

  it('when it goes away in the middle, then the gateway goes on', async () => {
    const { request, response } = open();
    request.on('error', () => undefined);
    request.write('{"name":"left"}\n{"name":"le');
    const message = await response;
    message.on('error', () => undefined);
    await once(message, 'data');
    request.destroy();
    expect(await bulk('{"name":"next"}')).toMatchObject([{ status: 'created' }]);
  });
});

describe('given a service behind that is away', () => {
  it('when it goes in the middle, then the lines it missed are errors and those after its return are not', async () => {
    const { request, response } = open();
    request.write('{"name":"before"}\n');
    const message = await response;
    const lines = createInterface({ input: message })[Symbol.asyncIterator]();
    const next = async () => JSON.parse(String((await lines.next()).value)) as BulkAnswer;
    expect(await next()).toMatchObject({ line: 1, status: 'created' });
    await fleet.stop();
    request.write('{"name":"missed"}\nnot json\n');
    expect(await next()).toMatchObject({
      line: 2,
      status: 'error',
      name: 'missed',
      message: 'device-state does not answer',
    });
    expect(await next()).toMatchObject({ line: 3, status: 'error', message: 'not JSON' });
    await fleet.start();
    request.end('{"name":"after"}\n');
    expect(await next()).toMatchObject({ line: 4, status: 'created' });
  });
});

describe('given many lines', () => {
  beforeEach(() => fleet.stop());

  it('when 20,000 come at once, then they are asked for in full batches and memory stays flat', async () => {
    const COUNT = 20_000;
    const sizes: number[] = [];
    const live: number[] = [];
    const service = answerRpc(gateway.bus, deviceState.registerDevices, ({ devices }) => {
      sizes.push(devices.length);
      if (sizes.length % 10 === 0) live.push(liveMegabytes());
      return { results: devices.map(({ id, device }) => ({ id, name: device.name, status: 'created' as const })) };
    });
    await gateway.bus.flush();

    const { request, response } = open();
    // 1.5 KiB a line: 30 MB in all, a multiple of what may be held.
    const alias = 'x'.repeat(250);
    const send = async () => {
      for (let at = 1; at <= COUNT; at++) {
        const line = JSON.stringify({ name: `n-${at}`, alias, attributes: { a: alias.repeat(5) } });
        if (!request.write(`${line}\n`)) await once(request, 'drain');
      }
      request.end();
    };
    const receive = async () => {
      let count = 0;
      for await (const line of createInterface({ input: await response })) {
        expect(JSON.parse(line)).toMatchObject({ line: ++count, status: 'created', name: `n-${count}` });
      }
      return count;
    };
    const [, received] = await Promise.all([send(), receive()]);
    service.stop();

    expect(received).toBe(COUNT);
    expect(Math.max(...sizes)).toBeLessThanOrEqual(500);
    // Lines of 1.5 KiB fill a batch by their size, 174 of them.
    expect(sizes.length).toBeLessThan(COUNT / 100);
    // Flat: what lives near the end is no more than what lived near the beginning; whatever was kept of 20 MB in between would show.
    const third = Math.floor(live.length / 3);
    expect(third).toBeGreaterThan(2);
    expect(Math.min(...live.slice(-third)) - Math.min(...live.slice(0, third))).toBeLessThan(8);
  });

  it('when nobody reads the answers, then the gateway stops reading the lines, and goes on when somebody does', async () => {
    const service = answerRpc(gateway.bus, deviceState.registerDevices, ({ devices }) => ({
      results: devices.map(({ id, device }) => ({ id, name: device.name, status: 'created' as const })),
    }));
    await gateway.bus.flush();
    const { request, response } = open();
    const lines = `${JSON.stringify({ name: 'n'.repeat(120) })}\n`.repeat(500);
    request.write(lines);
    const message = await response;

    let written = 500;
    let stalled = false;
    while (!stalled && written < 500_000) {
      written += 500;
      if (request.write(lines)) continue;
      const patience = new AbortController();
      const drained = once(request, 'drain').then(() => false);
      stalled = await Promise.race([drained, delay(1_000, true, { signal: patience.signal })]);
      patience.abort();
    }
    expect(stalled).toBe(true);

    request.end();
    let answered = 0;
    for await (const line of createInterface({ input: message })) {
      if (line !== '') answered++;
    }
    expect(answered).toBe(written);
    service.stop();
  });
});
