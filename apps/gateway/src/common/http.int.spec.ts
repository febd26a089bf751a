import { request as httpRequest } from 'node:http';
import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ADMIN_TOKEN, startGateway, type TestGateway } from '../testing/gateway.harness.js';
import { FakeJobPlanner } from '../testing/services.fake.js';

const JOBS = '/v2/demo/productmgr/jobs';
const UUID = /^[0-9a-f-]{36}$/;

let gateway: TestGateway;
let planner: FakeJobPlanner;

beforeAll(async () => {
  gateway = await startGateway();
  planner = new FakeJobPlanner(gateway.bus);
  await planner.start();
});

afterAll(() => gateway.stop());

/** A path as it is; `fetch` would tidy it up. */
const rawGet = (path: string) =>
  new Promise<{ status: number | undefined; id: unknown; text: string }>((resolve, reject) => {
    const { hostname, port } = new URL(gateway.url);
    const asked = httpRequest(
      { hostname, port, path, headers: { authorization: `Bearer ${ADMIN_TOKEN}` } },
      (answer) => {
        let text = '';
        answer.on('data', (piece: Buffer) => (text += piece.toString()));
        answer.on('end', () => resolve({ status: answer.statusCode, id: answer.headers['x-request-id'], text }));
      },
    );
    asked.on('error', reject);
    asked.end();
  });

/** Bytes that need not be HTTP. */
const rawTalk = (bytes: string) =>
  new Promise<string>((resolve, reject) => {
    const { hostname, port } = new URL(gateway.url);
    const socket = connect(Number(port), hostname, () => socket.write(bytes));
    let text = '';
    socket.on('data', (piece) => (text += piece.toString()));
    socket.on('close', () => resolve(text));
    socket.on('error', reject);
  });

describe('given any request', () => {
  it.each([
    ['GET', '/healthz', 200],
    ['GET', JOBS, 200],
    ['GET', '/v2/other/productmgr/jobs', 403],
    ['GET', '/api/v1/nothing', 404],
    ['GET', '/nothing', 404],
    ['PUT', JOBS, 405],
    ['POST', JOBS, 400],
  ])('when it is %s %s and ends in %i, then the answer has a request id', async (method, path, status) => {
    const answer = await gateway.ask(method, path);
    expect(answer.status).toBe(status);
    expect(answer.headers.get('x-request-id')).toMatch(UUID);
  });

  it('when it brings a sane id, then that is kept, else it gets a new one', async () => {
    const idOf = async (given: string) =>
      (await gateway.ask('GET', '/healthz', { headers: { 'x-request-id': given } })).headers.get('x-request-id');
    expect(await idOf('0190-abc.DEF:1_2')).toBe('0190-abc.DEF:1_2');
    expect(await idOf('x'.repeat(128))).toBe('x'.repeat(128));
    for (const given of ['x'.repeat(129), 'two words', 'a"b', '{}']) expect(await idOf(given)).toMatch(UUID);
  });

  it('when it brings a traceparent, then the services behind are asked in that trace', async () => {
    const trace = 'a'.repeat(32);
    const body = {
      job_name: 'a',
      job_type: 'node_upgrade',
      job_content: { target_type: 'node', target_query: { online: true } },
    };
    const traced = { body, headers: { traceparent: `00-${trace}-${'b'.repeat(16)}-01` } };
    expect((await gateway.ask('POST', JOBS, traced)).status).toBe(201);
    expect(planner.traceparent).toContain(trace);
    await gateway.ask('POST', JOBS, { body });
    expect(planner.traceparent).toMatch(/^00-(?!a{32})[0-9a-f]{32}-[0-9a-f]{16}-0[01]$/);
  });
});

describe('given a path or a method that is not there', () => {
  it('when the path is unknown, then 404 comes in the shape of the family by its prefix', async () => {
    expect((await gateway.ask('GET', `${JOBS}/plan/x/y`)).json()).toMatchObject({ error_code: 'MUS.010404' });
    for (const path of ['/api/v1/unknown', '/v2/demo/unknown', '/']) {
      const answer = await gateway.ask('GET', path, { token: null });
      expect(answer.json()).toMatchObject({ type: 'about:blank', title: 'Not Found', status: 404 });
      expect(answer.headers.get('content-type')).toMatch(/^application\/problem\+json/);
    }
  });

  it('when the method is wrong, then 405 says which are right, in the shape of the family', async () => {
    const jobs = await gateway.ask('PATCH', `${JOBS}/?x=1`);
    expect([jobs.status, jobs.headers.get('allow')]).toEqual([405, 'GET, HEAD, POST']);
    expect(jobs.json()).toMatchObject({ error_code: 'MUS.010405' });
    const action = await gateway.ask('GET', `${JOBS}/x/pause`);
    expect([action.status, action.headers.get('allow')]).toEqual([405, 'POST']);
    const devices = await gateway.ask('DELETE', '/api/v1/devices/x');
    expect([devices.status, devices.headers.get('allow')]).toEqual([405, 'GET, HEAD, PATCH']);
    expect(devices.json()).toMatchObject({ title: 'Method Not Allowed' });
    const health = await gateway.ask('POST', '/healthz');
    expect([health.status, health.headers.get('allow')]).toEqual([405, 'GET, HEAD']);
  });

  it('when a path cannot be decoded or a part is endless, then it is refused in the shape of the family', async () => {
    const broken = await rawGet(`${JOBS}/%zz`);
    expect([broken.status, broken.id]).toEqual([400, expect.stringMatching(UUID)]);
    expect(JSON.parse(broken.text)).toMatchObject({ error_code: 'MUS.010400' });
    const endless = await rawGet(`${JOBS}/${'x'.repeat(500)}`);
    expect([endless.status, endless.id]).toEqual([414, expect.stringMatching(UUID)]);
    expect(JSON.parse(endless.text)).toMatchObject({ error_code: 'MUS.010400' });
  });
});

describe('given what is not quite HTTP', () => {
  it('when the bytes are no request, then 400 is a problem document with a request id', async () => {
    const answer = await rawTalk('garbage\r\n\r\n');
    expect(answer).toMatch(/^HTTP\/1\.1 400 Bad Request\r\n/);
    expect(answer).toMatch(/x-request-id: [0-9a-f-]{36}\r\n/);
  });

  it('when the headers are too large, then it is 431', async () => {
    const answer = await rawTalk(`GET / HTTP/1.1\r\nhost: x\r\nx-large: ${'y'.repeat(40_000)}\r\n\r\n`);
    expect(answer).toMatch(/^HTTP\/1\.1 431 /);
  });
});

describe('given pages for those who run it', () => {
  it.each(['/healthz', '/readyz', '/metrics', '/openapi.json', '/asyncapi.json', '/docs'])(
    'when %s is asked for without a token, then it is there',
    async (path) => {
      expect((await gateway.ask('GET', path, { token: null })).status).toBe(200);
    },
  );
});
