import { deployments, DomainError, type Deployment } from '@muster/contracts';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { startGateway, type TestGateway } from '../../testing/gateway.harness.js';
import { answerRpc } from '../../testing/services.fake.js';

const DEPLOYMENTS = '/api/v1/deployments';
const TIME = '2025-01-01T00:00:00.000Z';
const DEVICE = '01890000-0000-7000-8000-0000000000d1';
const summary = {
  id: '01890000-0000-7000-8000-000000000001',
  project_id: 'demo',
  device_id: DEVICE,
  name: 'web',
  version: '2',
  state: 'UPGRADED' as const,
  created_at: TIME,
  updated_at: TIME,
};
const deployment: Deployment = {
  ...summary,
  args: { image: 'nginx' },
  versions: [{ version: '2', at: TIME, command_id: DEVICE }],
};

let gateway: TestGateway;
const asked: unknown[] = [];

beforeAll(async () => {
  gateway = await startGateway();
  answerRpc(gateway.bus, deployments.listDeployments, (request) => {
    asked.push(request);
    return { deployments: [summary], next: null };
  });
  answerRpc(gateway.bus, deployments.getDeployment, ({ id }) => {
    if (id !== summary.id) throw new DomainError('not_found', `no deployment ${id}`);
    return deployment;
  });
  await gateway.bus.flush();
});

afterAll(() => gateway.stop());

it('given deployments, when they are listed or shown, then filters go with the question, and one comes whole', async () => {
  expect((await gateway.ask('GET', DEPLOYMENTS)).json()).toEqual({ deployments: [summary], next: null });
  await gateway.ask('GET', `${DEPLOYMENTS}?device_id=${DEVICE}&name=web&limit=3&after=${summary.id}`);
  expect(asked).toEqual([
    { project_id: 'demo', limit: 100 },
    { project_id: 'demo', limit: 3, device_id: DEVICE, name: 'web', after: summary.id },
  ]);
  expect((await gateway.ask('GET', `${DEPLOYMENTS}/${summary.id}`)).json()).toEqual(deployment);
  expect((await gateway.ask('GET', `${DEPLOYMENTS}/${DEVICE}`)).status).toBe(404);
});

it.each(['device_id=x', 'name=', 'limit=1001', 'state=x'])('given %s, then 400 names the parameter', async (query) => {
  const answer = await gateway.ask('GET', `${DEPLOYMENTS}?${query}`);
  expect([answer.status, answer.json()]).toMatchObject([400, { errors: [{ field: query.split('=')[0] }] }]);
});
