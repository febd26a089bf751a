import { drifts, type Drift } from '@muster/contracts';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { startGateway, type TestGateway } from '../../testing/gateway.harness.js';
import { answerRpc } from '../../testing/services.fake.js';

const DRIFTS = '/api/v1/drifts';
const drift: Drift = {
  id: '01890000-0000-7000-8000-000000000001',
  device_id: '01890000-0000-7000-8000-0000000000d1',
  device_name: 'par-1',
  state: 'DRIFTED',
  reason: '',
  since: '2025-01-01T00:00:00.000Z',
  paths: ['app.version'],
  source_id: null,
  attempts: 0,
};

let gateway: TestGateway;
const asked: unknown[] = [];

beforeAll(async () => {
  gateway = await startGateway();
  answerRpc(gateway.bus, drifts.listDrifts, (request) => {
    asked.push(request);
    return { drifts: [drift], next: drift.id };
  });
  await gateway.bus.flush();
});

afterAll(() => gateway.stop());

it('given drifts, when they are listed, then the page comes with where to go on, and filters go with the question', async () => {
  expect((await gateway.ask('GET', DRIFTS)).json()).toEqual({ drifts: [drift], next: drift.id });
  await gateway.ask('GET', `${DRIFTS}?state=RESOLVED&limit=3&after=${drift.id}`);
  expect(asked).toEqual([
    { project_id: 'demo', limit: 100 },
    { project_id: 'demo', limit: 3, state: 'RESOLVED', after: drift.id },
  ]);
});

it.each(['state=open', 'limit=0', 'after=x', 'device=x'])('given %s, then 400 names the parameter', async (query) => {
  const answer = await gateway.ask('GET', `${DRIFTS}?${query}`);
  expect([answer.status, answer.json()]).toMatchObject([400, { errors: [{ field: query.split('=')[0] }] }]);
});
