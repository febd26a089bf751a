import { approvals, DomainError, type Approval, type RpcRequest } from '@muster/contracts';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { startGateway, type TestGateway } from '../../testing/gateway.harness.js';
import { answerRpc } from '../../testing/services.fake.js';

const APPROVALS = '/api/v1/approvals';
const PROJECT = '/api/v1/project';
const JOB = '01890000-0000-7000-8000-00000000000a';
const ID = '01890000-0000-7000-8000-000000000001';
const STATES = { approve: 'approved', reject: 'rejected' } as const;

let gateway: TestGateway;
let approver: string;
let admin: string;
let adminActor: string;
let approval: Approval;
const listed: unknown[] = [];
const decided: RpcRequest<typeof approvals.decideApproval>[] = [];

/** job-planner as far as the contract of approvals can be seen. */
async function answerApprovals(): Promise<void> {
  const find = (project_id: string, id: string) => {
    if (project_id !== approval.project_id || id !== ID) throw new DomainError('not_found', `no approval ${id}`);
    return approval;
  };
  answerRpc(gateway.bus, approvals.listApprovals, (request) => {
    listed.push(request);
    return { approvals: request.project_id === 'demo' ? [approval] : [], next: null };
  });
  answerRpc(gateway.bus, approvals.getApproval, ({ project_id, id }) => find(project_id, id));
  answerRpc(gateway.bus, approvals.decideApproval, (request) => {
    decided.push(request);
    const { state, requested_by } = find(request.project_id, request.id);
    const to = STATES[request.decision];
    if (requested_by === request.by && !request.own_allowed)
      throw new DomainError('forbidden', 'another person has to decide');
    if (state !== 'pending' && state !== to) throw new DomainError('conflict', `the approval is ${state} already`);
    approval = { ...approval, state: to, decided_by: request.by, comment: request.comment ?? '' };
    return approval;
  });
  await gateway.bus.flush();
}

const decide = (decision: string, token: string, id = ID) =>
  gateway.ask('POST', `${APPROVALS}/${id}`, { token, body: { decision, comment: 'looked at it' } });
const setFourEyes = async (four_eyes: boolean) =>
  expect((await gateway.ask('PATCH', PROJECT, { body: { four_eyes } })).json()).toMatchObject({ four_eyes });

beforeAll(async () => {
  gateway = await startGateway();
  approver = await gateway.token('approver');
  const issued = await gateway.ask('POST', '/api/v1/tokens', { body: { name: 'boss', role: 'admin' } });
  ({ token: admin, actor_id: adminActor } = issued.json<{ token: string; actor_id: string }>());
  await answerApprovals();
});
afterAll(() => gateway.stop());

beforeEach(async () => {
  approval = {
    id: ID,
    project_id: 'demo',
    state: 'pending',
    subject: { entity: 'job', id: JOB, name: 'upgrade', wave: 2 },
    requested_by: adminActor,
    requested_at: '2025-01-01T00:00:00.000Z',
    decided_by: null,
    decided_at: null,
    comment: '',
  };
  listed.length = decided.length = 0;
  await setFourEyes(false);
});

describe('given approvals', () => {
  it('when they are listed or shown, then the filter goes with the question, and one comes whole', async () => {
    const viewer = await gateway.token('viewer');
    expect((await gateway.ask('GET', APPROVALS, { token: viewer })).json()).toEqual({
      approvals: [approval],
      next: null,
    });
    await gateway.ask('GET', `${APPROVALS}?state=pending&limit=3&after=${ID}`);
    expect(listed).toEqual([
      { project_id: 'demo', limit: 100 },
      { project_id: 'demo', limit: 3, state: 'pending', after: ID },
    ]);
    expect((await gateway.ask('GET', `${APPROVALS}/${ID}`, { token: viewer })).json()).toEqual(approval);
  });

  it.each(['state=open', 'limit=1001', 'after=x', 'job=x'])('when asked for %s, then 400 names it', async (query) => {
    const answer = await gateway.ask('GET', `${APPROVALS}?${query}`);
    expect([answer.status, answer.json()]).toMatchObject([400, { errors: [{ field: query.split('=')[0] }] }]);
  });

  it('when one is decided, then who decided goes with it, and the same again is answered alike', async () => {
    const { actor_id, token } = (
      await gateway.ask('POST', '/api/v1/tokens', { body: { name: 'anna', role: 'approver' } })
    ).json<{ actor_id: string; token: string }>();
    for (let time = 0; time < 2; time++) {
      const answer = await decide('approve', token);
      expect([answer.status, answer.json()]).toMatchObject([
        200,
        { state: 'approved', decided_by: actor_id, comment: 'looked at it' },
      ]);
    }
    const answer = await decide('reject', token);
    expect([answer.status, answer.json()]).toMatchObject([
      409,
      { title: 'Conflict', detail: 'the approval is approved already' },
    ]);
    expect(decided[0]).toEqual({
      project_id: 'demo',
      id: ID,
      decision: 'approve',
      comment: 'looked at it',
      by: actor_id,
      own_allowed: true,
    });
  });

  it.each([
    [{}, 'decision'],
    [{ decision: 'maybe' }, 'decision'],
    [{ decision: 'approve', comment: 'x'.repeat(1025) }, 'comment'],
    [{ decision: 'approve', by: JOB }, 'by'],
  ])('when the decision is %j, then 400 names %s, and nothing is decided', async (body, field) => {
    const answer = await gateway.ask('POST', `${APPROVALS}/${ID}`, { token: approver, body });
    expect(answer.status).toBe(400);
    expect(answer.json<{ errors: { field: string }[] }>().errors.map((error) => error.field)).toContain(field);
    expect(decided).toEqual([]);
  });

  it('when one is unknown or of another project, then it is 404', async () => {
    const stranger = await gateway.token('admin', 'acme');
    expect((await decide('approve', approver, JOB)).status).toBe(404);
    expect((await decide('approve', approver, 'x')).status).toBe(404);
    expect((await decide('approve', stranger)).status).toBe(404);
    expect((await gateway.ask('GET', `${APPROVALS}/${ID}`, { token: stranger })).status).toBe(404);
    expect(approval.state).toBe('pending');
  });

  it.each([
    ['viewer', 403],
    ['operator', 403],
    ['service', 403],
    ['approver', 200],
    ['admin', 200],
  ])('when a token of the role %s decides, then it is %i', async (role, status) => {
    const answer = await decide('approve', await gateway.token(role));
    expect(answer.status).toBe(status);
    if (status === 403) expect(answer.json()).toMatchObject({ detail: `role ${role} may not do this` });
    expect(decided).toHaveLength(status === 200 ? 1 : 0);
  });
});

describe('given a project that wants four eyes', () => {
  it('when who asked decides, then it is 403, from the very next request on, and another one may', async () => {
    await setFourEyes(true);
    const own = await decide('approve', admin);
    expect([own.status, own.json()]).toMatchObject([
      403,
      { title: 'Forbidden', detail: 'another person has to decide' },
    ]);
    expect(decided.map(({ by, own_allowed }) => [by, own_allowed])).toEqual([[adminActor, false]]);
    expect((await decide('approve', approver)).status).toBe(200);
  });

  it('when it no longer does, then who asked may decide', async () => {
    await setFourEyes(true);
    await setFourEyes(false);
    expect((await decide('reject', admin)).json()).toMatchObject({ state: 'rejected', decided_by: adminActor });
  });

  it('when the rule is changed behind the back of this gateway, then the next decision goes by it', async () => {
    await gateway.sql(`UPDATE project SET four_eyes = true WHERE slug = 'demo'`);
    expect((await decide('approve', admin)).status).toBe(403);
  });
});
