import { commandWork, jobWork, type DeadLetter } from '@muster/contracts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Stack } from '../harness/stack.js';
import { until } from '../harness/until.js';

const LETTERS = '/api/v1/dead-letters';

let stack: Stack;
beforeAll(async () => {
  stack = await Stack.start();
});
afterAll(() => stack?.stop());

const listed = async () => (await stack.api<{ dead_letters: DeadLetter[] }>('GET', LETTERS)).body.dead_letters;

describe('messages that no service can handle', () => {
  it('given poison for two services, then the gateway lists both, a replay brings it back as a new letter, and a discard ends it', async () => {
    const jetstream = (await stack.nats()).jetstream();
    await jetstream.publish(jobWork.outcome.subject, 'poison');
    await jetstream.publish(commandWork.request.subject, '{"project_id":"demo","head":{},"items":[]}');
    await until('two dead letters', async () => (await listed()).length === 2, { timeout: 30_000 });
    const first = await listed();
    const byService = new Map(first.map((letter) => [letter.service, letter]));
    expect(byService.get('job-planner')).toMatchObject({ reason: 'not JSON', project_id: null });
    expect(byService.get('command-dispatcher')).toMatchObject({
      reason: 'head.request_id: is required',
      project_id: 'demo',
      payload: { project_id: 'demo', head: {}, items: [] },
    });

    const { body } = await stack.api('POST', `${LETTERS}/replay`, {});
    expect(body).toEqual({ replayed: 2, failed: [], next: null });
    const isNew = ({ id }: DeadLetter) => first.every((letter) => letter.id !== id);
    await until('both as new letters', async () => (await listed()).filter(isNew).length === 2, { timeout: 30_000 });

    for (const { id } of await listed()) {
      expect((await stack.api('DELETE', `${LETTERS}/${id}`)).status).toBe(204);
    }
    expect(await listed()).toEqual([]);
  });
});
