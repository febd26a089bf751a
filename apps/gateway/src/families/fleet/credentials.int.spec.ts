import { deviceCredentials, DomainError, type IssuedCredential, type RpcRequest } from '@muster/contracts';
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { startGateway, type TestGateway } from '../../testing/gateway.harness.js';
import { answerRpc } from '../../testing/services.fake.js';

const DEVICE = randomUUID();
const CREDENTIALS = `/api/v1/devices/${DEVICE}/credentials`;

let gateway: TestGateway;
const issues: RpcRequest<typeof deviceCredentials.issue>[] = [];
const rotations: RpcRequest<typeof deviceCredentials.rotate>[] = [];
const revocations: RpcRequest<typeof deviceCredentials.revoke>[] = [];

/** As device-state makes them: the same id gives the same secret. */
const secretOf = ({ id, device_id }: { id: string; device_id: string }): IssuedCredential => ({
  id,
  device_id,
  expires_at: '2030-01-01T00:00:00.000Z',
  nats: { url: 'nats://bus', creds: `creds of ${id}` },
  mqtt: { url: 'mqtt://bus', username: device_id, password: `password of ${id}` },
});

const ofDevice = ({ project_id, device_id }: { project_id: string; device_id: string }) => {
  if (project_id !== 'demo' || device_id !== DEVICE) throw new DomainError('not_found', `no device ${device_id}`);
};

beforeAll(async () => {
  gateway = await startGateway();
  answerRpc(gateway.bus, deviceCredentials.issue, (request) => {
    ofDevice(request);
    if (revocations.some(({ id }) => id === request.id)) throw new DomainError('conflict', 'they are revoked');
    issues.push(request);
    return secretOf(request);
  });
  answerRpc(gateway.bus, deviceCredentials.rotate, (request) => {
    ofDevice(request);
    rotations.push(request);
    return secretOf(request);
  });
  answerRpc(gateway.bus, deviceCredentials.revoke, (request) => {
    ofDevice(request);
    revocations.push(request);
    return {};
  });
  answerRpc(gateway.bus, deviceCredentials.list, (request) => {
    ofDevice(request);
    const row = { device_id: DEVICE, issued_at: '2025-01-01T00:00:00Z', expires_at: '2030-01-01T00:00:00Z' };
    const all = issues.map(({ id, created_by }) => ({ ...row, id, created_by, revoked_at: null }));
    const rest = all.filter(({ id }) => request.after === undefined || id > request.after);
    const credentials = rest.slice(0, request.limit);
    return { credentials, next: rest.length > request.limit ? credentials.at(-1)!.id : null };
  });
  await gateway.bus.flush();
});
afterAll(() => gateway.stop());
beforeEach(() => {
  for (const asked of [issues, rotations, revocations]) asked.length = 0;
});

describe('given a device', () => {
  it('when credentials are issued, without a body too, then 201 answers the secret', async () => {
    const answer = await gateway.ask('POST', CREDENTIALS);
    expect(answer.status).toBe(201);
    expect(answer.json()).toEqual(secretOf(issues[0]!));
    const other = await gateway.ask('POST', CREDENTIALS, { body: { expires_in_seconds: 3600 } });
    expect([other.status, issues[1]]).toMatchObject([201, { project_id: 'demo', order: { expires_in_seconds: 3600 } }]);
  });

  it('when the same key comes again, then the same secret is answered and none is stored; with another body it is 422', async () => {
    const headers = { 'idempotency-key': 'once' };
    const first = await gateway.ask('POST', CREDENTIALS, { headers, body: {} });
    const again = await gateway.ask('POST', CREDENTIALS, { headers, body: {} });
    expect([again.status, again.text]).toEqual([201, first.text]);
    const stored = await gateway.sql(`SELECT response FROM idempotency_key WHERE key = 'once'`);
    expect(stored).toEqual([{ response: {} }]);
    const other = await gateway.ask('POST', CREDENTIALS, { headers, body: { expires_in_seconds: 60 } });
    expect(other.status).toBe(422);
  });

  it('when they were revoked since, then the same key is refused each time, and makes no others', async () => {
    const ask = () => gateway.ask('POST', CREDENTIALS, { headers: { 'idempotency-key': 'revoked' }, body: {} });
    const { id } = (await ask()).json<IssuedCredential>();
    await gateway.ask('DELETE', `${CREDENTIALS}/${id}`);
    expect([(await ask()).status, (await ask()).status]).toEqual([409, 409]);
    expect(issues).toHaveLength(1);
  });

  it('when they are rotated, then the old ones are named and the overlap is told', async () => {
    const old = randomUUID();
    const answer = await gateway.ask('POST', `${CREDENTIALS}/${old}/rotate`, { body: { overlap_seconds: 60 } });
    expect([answer.status, answer.json()]).toEqual([201, secretOf(rotations[0]!)]);
    expect(rotations[0]).toMatchObject({ replaces: old, order: { overlap_seconds: 60 } });
  });

  it('when they are listed in pages, then each comes once, without a secret', async () => {
    for (let made = 0; made < 3; made++) await gateway.ask('POST', CREDENTIALS);
    const page = async (query: string) =>
      (await gateway.ask('GET', `${CREDENTIALS}?${query}`)).json<{ credentials: { id: string }[]; next: string }>();
    const first = await page('limit=2');
    const second = await page(`limit=2&after=${first.next}`);
    const listed = [...first.credentials, ...second.credentials];
    expect(listed.map(({ id }) => id)).toEqual(issues.map(({ id }) => id));
    expect(second.next).toBeNull();
    expect(JSON.stringify(listed)).not.toMatch(/creds of|password of/);
  });

  it('when they are revoked, then 204', async () => {
    const id = randomUUID();
    expect((await gateway.ask('DELETE', `${CREDENTIALS}/${id}`)).status).toBe(204);
    expect(revocations).toEqual([{ project_id: 'demo', device_id: DEVICE, id }]);
  });
});

describe('given who asks, and what', () => {
  it('when it is a viewer, then it may list and nothing more; and a device of another project is not found', async () => {
    const token = await gateway.token('viewer');
    const statuses = async (mine: string) =>
      Promise.all([
        gateway.ask('GET', CREDENTIALS, { token: mine }),
        gateway.ask('POST', CREDENTIALS, { token: mine }),
        gateway.ask('POST', `${CREDENTIALS}/${randomUUID()}/rotate`, { token: mine }),
        gateway.ask('DELETE', `${CREDENTIALS}/${randomUUID()}`, { token: mine }),
      ]).then((answers) => answers.map(({ status }) => status));
    expect(await statuses(token)).toEqual([200, 403, 403, 403]);
    expect(await statuses(await gateway.token('operator', 'acme'))).toEqual([404, 404, 404, 404]);
  });

  it.each([
    ['too short a life', '', { expires_in_seconds: 59 }, 'expires_in_seconds'],
    ['too long a life', '', { expires_in_seconds: 1e12 }, 'expires_in_seconds'],
    ['no number', '', { expires_in_seconds: '60' }, 'expires_in_seconds'],
    ['an unknown field', '', { forever: true }, 'forever'],
    ['a negative overlap', `/${randomUUID()}/rotate`, { overlap_seconds: -1 }, 'overlap_seconds'],
    ['too long an overlap', `/${randomUUID()}/rotate`, { overlap_seconds: 1e9 }, 'overlap_seconds'],
  ])('when it is %s, then 400 names the field', async (_what, path, body, field) => {
    const answer = await gateway.ask('POST', CREDENTIALS + path, { body });
    expect(answer.status).toBe(400);
    expect(answer.text).toContain(field);
  });
});
