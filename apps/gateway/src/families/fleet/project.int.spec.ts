import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { startGateway, type TestGateway } from '../../testing/gateway.harness.js';

const PROJECT = '/api/v1/project';

let gateway: TestGateway;

const setFourEyes = (four_eyes: boolean) => gateway.ask('PATCH', PROJECT, { body: { four_eyes } });

beforeAll(async () => {
  gateway = await startGateway();
});
afterAll(() => gateway.stop());

beforeEach(() => setFourEyes(false));

describe('given the project of a token', () => {
  it('when it is shown, then it is the one of the token, whose settings are its own', async () => {
    expect((await setFourEyes(true)).json()).toMatchObject({ slug: 'demo', four_eyes: true });
    const [row] = await gateway.sql(`SELECT id FROM project WHERE slug = 'demo'`);
    const shown = await gateway.ask('GET', PROJECT, { token: await gateway.token('viewer') });
    expect(shown.json()).toEqual({ slug: 'demo', id: row!['id'], four_eyes: true });
    const other = await gateway.token('admin', 'other');
    expect((await gateway.ask('GET', PROJECT, { token: other })).json()).toMatchObject({
      slug: 'other',
      four_eyes: false,
    });
  });

  it.each(['viewer', 'operator', 'approver', 'service'])('when a %s changes it, then it is 403', async (role) => {
    const token = await gateway.token(role);
    expect((await gateway.ask('PATCH', PROJECT, { token, body: { four_eyes: true } })).status).toBe(403);
    expect((await gateway.ask('GET', PROJECT, { token })).json()).toMatchObject({ four_eyes: false });
  });

  it.each([
    [{}, 'four_eyes'],
    [{ four_eyes: 'yes' }, 'four_eyes'],
    [{ four_eyes: true, slug: 'mine' }, 'slug'],
  ])('when the change is %j, then 400 names %s', async (body, field) => {
    const answer = await gateway.ask('PATCH', PROJECT, { body });
    expect([answer.status, answer.json()]).toMatchObject([400, { errors: [{ field }] }]);
    expect((await gateway.ask('GET', PROJECT)).json()).toMatchObject({ four_eyes: false });
  });
});
