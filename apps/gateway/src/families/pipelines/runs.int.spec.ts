import { RUN_ORDERINGS, RUN_STATES, STAGE_RUN_STATES, TARGET_RUN_STATES } from '@muster/contracts';
import { v7 as uuid } from 'uuid';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startGateway, type Ask, type TestGateway } from '../../testing/gateway.harness.js';
import { FakePipelineRuns } from '../../testing/pipeline-runs.fake.js';

const FAMILY = '/api/pipelines/v0';
const NOWHERE = '01890000-0000-7000-8000-000000000000';

type Content = Record<string, unknown> & { id: string };
interface Answered<C> {
  status: number;
  code: number;
  message: string;
  content: C;
}
interface Refused {
  errors: { field: string; message: string }[];
}
interface Page {
  count: number;
  previous: string | null;
  next: string | null;
  results: Content[];
}

let gateway: TestGateway;
let fake: FakePipelineRuns;
let enterprise_id: string;
let actor: number;

beforeAll(async () => {
  gateway = await startGateway();
  fake = new FakePipelineRuns(gateway.bus);
  await fake.start();
  const [project] = await gateway.sql(`SELECT id FROM project WHERE slug = 'demo'`);
  enterprise_id = project!['id'] as string;
  const [token] = await gateway.sql('SELECT actor_number FROM token WHERE installation');
  actor = token!['actor_number'] as number;
});

afterAll(() => gateway.stop());

const ask = async <C = Content>(method: string, path: string, options: Ask = {}): Promise<Answered<C>> => {
  const answer = await gateway.ask(method, FAMILY + path, options);
  return { status: answer.status, ...answer.json<Omit<Answered<C>, 'status'>>() };
};
const put = <C = Content>(path: string, body: object) => ask<C>('PUT', path, { body });
const lastAsked = () => fake.asked.at(-1)!;

/** A run of a pipeline of its own, with its stage run, and one target run for each of its two operations. */
async function started() {
  const pipeline_id = uuid();
  const runs = `/pipelines/${pipeline_id}/runs`;
  const { content: run } = await ask('POST', runs, { body: {} });
  const stageRuns = `/runs/${run.id}/stageruns`;
  const stage_run_id = (await ask<Page>('GET', stageRuns)).content.results[0]!.id;
  const stageRun = `/stageruns/${stage_run_id}`;
  const targetRuns = `${stageRun}/targetruns`;
  const target_id = uuid();
  const { content: added } = await ask<Content[]>('POST', targetRuns, { body: { target_id } });
  const targetRun = `${targetRuns}/${added[0]!.id}`;
  return { pipeline_id, runs, run, stageRuns, stage_run_id, stageRun, targetRuns, target_id, added, targetRun };
}

describe('given a stage', () => {
  const planOf = (stage_id: string, pipeline_id = uuid()) => `/pipelines/${pipeline_id}/stages/${stage_id}/plan`;

  it('when its run is planned, without a body or an empty one, then the envelope has what would happen', async () => {
    const key = { pipeline_id: uuid(), stage_id: uuid() };
    const path = planOf(key.stage_id, key.pipeline_id);
    for (const answer of [await ask('POST', path), await ask('POST', `${path}/`, { body: {} })]) {
      expect(answer).toMatchObject({ status: 200, code: 0, message: '' });
      expect(answer.content).toMatchObject({ targets: { count: 0 }, waves: [], duration: null });
      expect(lastAsked()).toEqual({ method: 'planStage', request: { project_id: 'demo', ...key } });
    }
  });

  it('when there is something in the body, then 400 names it', async () => {
    const answer = await ask<Refused>('POST', planOf(uuid()), { body: { force: true } });
    expect([answer.status, answer.code]).toEqual([400, 400]);
    expect(answer.content.errors.map(({ field }) => field)).toEqual(['force']);
  });

  it('when its run would be invalid, then 400 names what it lacks', async () => {
    const errors = [{ field: 'operations', message: 'the stage has no operation' }];
    const message = 'operations: the stage has no operation';
    const refused = { status: 400, code: 400, message, content: { errors } };
    expect(await ask('POST', planOf(`dead${uuid().slice(4)}`))).toEqual(refused);
    expect((await ask('POST', planOf('no-id'))).status).toBe(404);
  });

  it.each(['viewer', 'operator', 'approver', 'admin', 'service'])('when a %s plans it, then it may', async (role) => {
    const token = await gateway.token(role);
    expect((await ask('POST', planOf(uuid()), { token })).status).toBe(200);
  });
});

describe('given runs', () => {
  it('when one is started, then 200 answers the vendor’s document in the envelope, and job-planner knows who', async () => {
    const pipeline_id = uuid();
    const answer = await ask('POST', `/pipelines/${pipeline_id}/runs/`);
    expect(answer).toMatchObject({
      ...{ status: 200, code: 0, message: '' },
      content: { enterprise_id, run_number: 1, pipeline_id, status: 'pending', created_by: actor },
    });
    expect(Object.keys(answer.content)).toEqual([
      ...['id', 'enterprise_id', 'run_number', 'pipeline_id', 'pipeline_name', 'status', 'status_meta'],
      ...['created_by', 'updated_by', 'created_at', 'updated_at', 'started_at', 'ended_at'],
      // Ours.
      'progress',
    ]);
    const request = { project_id: 'demo', pipeline_id, id: answer.content.id, by: actor };
    expect(lastAsked()).toMatchObject({ method: 'startRun', request });
  });

  it('when another one of the pipeline is under way, then 409 has the shape of the family', async () => {
    const { runs } = await started();
    const message = 'a run of the pipeline is under way';
    const refused = { status: 409, code: 409, message, content: { errors: [] } };
    expect(await ask('POST', runs, { body: {} })).toEqual(refused);
  });

  it('when a start is repeated with its key, also without its empty body, then the first answer comes again', async () => {
    const path = `/pipelines/${uuid()}/runs`;
    const headers = { 'idempotency-key': uuid() };
    const first = await ask('POST', path, { body: {}, headers });
    expect(first.status).toBe(200);
    expect(await ask('POST', `${path}/`, { headers })).toEqual(first);
    expect((await ask('POST', `/pipelines/${uuid()}/runs`, { headers })).status).toBe(422);
  });

  it('when they are listed, then all of the project or those of a pipeline, by status, in pages', async () => {
    const { pipeline_id, runs, run } = await started();
    await put(`${runs}/${run.id}`, { status: 'cancelled' });
    const { content: next } = await ask('POST', runs);
    const page = await ask<Page>('GET', `${runs}/?limit=1&offset=1`);
    expect(page).toMatchObject({ status: 200, content: { count: 2, next: null, results: [{ enterprise_id }] } });
    expect(page.content.previous).toBe(`${FAMILY}${runs}/?limit=1&offset=0`);
    const cancelled = await ask<Page>('GET', `${runs}?status=cancelled`);
    expect(cancelled.content).toMatchObject({ count: 1, results: [{ id: run.id }] });
    const request = { project_id: 'demo', limit: 20, offset: 0 };
    expect(lastAsked().request).toEqual({ ...request, pipeline_id, status: 'cancelled' });
    const all = await ask<Page>('GET', '/runs/?status=pending');
    expect(all.content.results.map(({ id }) => id)).toContain(next.id);
    expect(all.content.results[0]).toMatchObject({ enterprise_id, status: 'pending' });
    expect(lastAsked().request).toEqual({ ...request, status: 'pending' });
  });

  it('when the lists of runs, stage runs and target runs are filtered and ordered, then job-planner hears it', async () => {
    const { pipeline_id, runs, stageRuns, run, targetRuns, stage_run_id } = await started();
    const page = { project_id: 'demo', limit: 20, offset: 0 };
    const all = { pipeline_name: 'release', ordering: '-pipeline__name', status: 'running' };
    const ofTargets = { stage_run_operation_id: NOWHERE, ordering: '-status' };
    for (const [path, query, asked] of [
      ['/runs/', all, all],
      [`${runs}/`, { ordering: 'started_at' }, { pipeline_id, ordering: 'started_at' }],
      [`${stageRuns}/`, { status: 'success' }, { pipeline_run_id: run.id, status: 'success' }],
      [`${targetRuns}/`, ofTargets, { stage_run_id, ...ofTargets }],
    ] as const) {
      expect((await ask('GET', `${path}?${new URLSearchParams(query).toString()}`)).status).toBe(200);
      expect(lastAsked().request).toEqual({ ...page, ...asked });
    }
  });

  it.each(['running', 'waiting', 'cancelled'])('when one is set to %s, then job-planner hears it', async (status) => {
    const { pipeline_id, runs, run } = await started();
    const changed = await put(`${runs}/${run.id}/`, { status });
    expect(changed).toMatchObject({ status: 200, code: 0, content: { id: run.id, enterprise_id, status } });
    const request = { project_id: 'demo', pipeline_id, id: run.id, status, by: actor };
    expect(lastAsked()).toEqual({ method: 'setRun', request });
    expect(await ask('GET', `${runs}/${run.id}/`)).toEqual(changed);
  });

  it('when one is deleted, then only once it has ended, and it is the content', async () => {
    const { runs, run } = await started();
    const path = `${runs}/${run.id}/`;
    expect(await ask<Refused>('DELETE', path)).toMatchObject({
      status: 400,
      content: { errors: [{ field: 'status' }] },
    });
    const cancelled = await put(path, { status: 'cancelled' });
    expect(await ask('DELETE', path)).toEqual(cancelled);
    expect((await ask('GET', path)).status).toBe(404);
  });
});

describe('given a stage run', () => {
  it('when it is listed and shown, then it is the vendor’s document', async () => {
    const { stageRuns, stage_run_id, run, pipeline_id } = await started();
    const { content } = await ask<Page>('GET', `${stageRuns}/?limit=1`);
    const shown = await ask('GET', `${stageRuns}/${stage_run_id}/`);
    expect(shown).toEqual({ status: 200, code: 0, message: '', content: content.results[0] });
    expect(shown.content).toMatchObject({ enterprise_id, pipeline_id, pipeline_run_id: run.id });
    expect(Object.keys(shown.content)).toEqual([
      ...['id', 'enterprise_id', 'pipeline_id', 'pipeline_run_id', 'stage_id', 'stage_meta', 'status'],
      ...['reason', 'progress', 'created_by', 'updated_by', 'created_at', 'updated_at', 'started_at', 'ended_at'],
    ]);
  });

  it('when it is cancelled, then job-planner knows who', async () => {
    const { stageRuns, stage_run_id: id, run } = await started();
    const cancelled = await put(`${stageRuns}/${id}/`, { status: 'cancelled' });
    expect(cancelled).toMatchObject({ status: 200, content: { id, enterprise_id, status: 'cancelled' } });
    const request = { project_id: 'demo', pipeline_run_id: run.id, id, by: actor };
    expect(lastAsked()).toEqual({ method: 'cancelStageRun', request });
  });

  it('when its operations are listed and shown, then as they were when the run started', async () => {
    const { stageRun } = await started();
    const { content } = await ask<Page>('GET', `${stageRun}/operations/?limit=1`);
    expect(content).toMatchObject({ count: 2, results: [{ operation_type: 'REBOOT', args: { of: 'REBOOT' } }] });
    const shown = await ask('GET', `${stageRun}/operations/${content.results[0]!.id}/`);
    expect(shown).toMatchObject({ status: 200, content: content.results[0] });
    expect((await ask('GET', `${stageRun}/operations/${NOWHERE}/`)).status).toBe(404);
  });
});

describe('given target runs', () => {
  it('when a target is added, then the answer has one for each operation, and again with its key the same', async () => {
    const { targetRuns, stage_run_id } = await started();
    const [target_id, headers] = [uuid(), { 'idempotency-key': uuid() }];
    const body = { target_id, device_name: 'ignored', device_alias: 'by the door' };
    const added = await ask<Content[]>('POST', `${targetRuns}/`, { body, headers });
    const alike = { target_id, stage_run_id, device_alias: 'by the door', status: 'pending', command_id: null };
    expect(added).toMatchObject({ status: 200, code: 0, content: [alike, alike] });
    const request = { project_id: 'demo', stage_run_id, target_id, device_alias: 'by the door', by: actor };
    expect(lastAsked()).toEqual({ method: 'addTargetRuns', request });
    const asked = fake.asked.length;
    expect(await ask('POST', targetRuns, { body, headers })).toEqual(added);
    expect(fake.asked).toHaveLength(asked);
    expect((await ask('POST', targetRuns, { body: { target_id }, headers })).status).toBe(422);
  });

  it('when they are listed by status, then job-planner hears it', async () => {
    const { targetRuns, stage_run_id, added } = await started();
    fake.succeed(added[1]!.id);
    const { content } = await ask<Page>('GET', `${targetRuns}/?status=success`);
    expect(content).toMatchObject({ count: 1, results: [{ id: added[1]!.id, status: 'success' }] });
    const request = { project_id: 'demo', stage_run_id, status: 'success', limit: 20, offset: 0 };
    expect(lastAsked().request).toEqual(request);
  });

  it('when one is cancelled, then its device’s name changes nothing; one that has gone out is not', async () => {
    const { targetRun, stage_run_id, added } = await started();
    const body = { status: 'cancelled', device_name: 'another' };
    const cancelled = await put(`${targetRun}/`, body);
    expect(cancelled).toMatchObject({ status: 200, content: { id: added[0]!.id, status: 'cancelled' } });
    const request = { project_id: 'demo', stage_run_id, id: added[0]!.id, by: actor };
    expect(lastAsked()).toEqual({ method: 'cancelTargetRun', request });
    expect(await ask('GET', targetRun)).toEqual(cancelled);
    expect(await put<Refused>(targetRun, body)).toMatchObject({
      status: 400,
      content: { errors: [{ field: 'status' }] },
    });
  });
});

describe('given the command of a target run', () => {
  it('when its turn has not come, then there is none, and asking for it is 400; of no target run it is 404', async () => {
    const { targetRun, targetRuns, stageRun } = await started();
    expect((await ask('GET', `${targetRun}/command/`)).status).toBe(404);
    const message = 'a target run that is pending has no command yet';
    const errors = [{ field: 'target_run_id', message }];
    const refused = { status: 400, code: 400, message: `target_run_id: ${message}`, content: { errors } };
    expect(await ask('POST', `${targetRun}/command/`, { body: {} })).toEqual(refused);
    expect((await ask('POST', `${targetRuns}/${NOWHERE}/command/`)).status).toBe(404);
    const another = (await started()).targetRun.split('/').at(-1)!;
    expect((await ask('POST', `${stageRun}/targetruns/${another}/command/`)).status).toBe(404);
  });

  it('when it is there, then it is shown and asked for alike, and cancelled by its own id alone', async () => {
    const { targetRun, added, stage_run_id } = await started();
    fake.succeed(added[0]!.id);
    const shown = await ask<{ request_id: string }>('GET', `${targetRun}/command/`);
    expect(shown).toMatchObject({ status: 200, content: { target_run_id: added[0]!.id, enterprise_id } });
    for (const body of [{}, undefined])
      expect(await ask('POST', `${targetRun}/command`, body && { body })).toEqual(shown);
    const command_id = shown.content.request_id;
    const body = { request_status: 'cancelled' };
    expect(await put(`${targetRun}/command/${command_id}/`, body)).toMatchObject({
      status: 200,
      content: { ...shown.content, request_status: 'CANCELLED' },
    });
    const request = { project_id: 'demo', stage_run_id, target_run_id: added[0]!.id, command_id, by: actor };
    expect(lastAsked()).toEqual({ method: 'cancelTargetRunCommand', request });
    expect((await put(`${targetRun}/command/${NOWHERE}/`, body)).status).toBe(404);
  });
});

describe('given who asks', () => {
  it('when it is a viewer, a stranger or nobody, then the refusal has the shape of the family', async () => {
    const { runs, run, stageRuns, stage_run_id, targetRuns, targetRun, target_id } = await started();
    const refusal = (status: number) => ({
      ...{ status, code: status, content: { errors: [] } },
      message: expect.any(String) as string,
    });
    const [viewer, stranger] = [await gateway.token('viewer'), await gateway.token('admin', 'elsewhere')];
    const status = 'cancelled';
    const writes: [method: string, path: string, body?: object][] = [
      ['PUT', `${runs}/${run.id}/`, { status }],
      ['DELETE', `${runs}/${run.id}/`],
      ['PUT', `${stageRuns}/${stage_run_id}/`, { status }],
      ['POST', targetRuns, { target_id }],
      ['PUT', targetRun, { status }],
      ['POST', `${targetRun}/command/`, {}],
      ['PUT', `${targetRun}/command/${NOWHERE}/`, { request_status: status }],
    ];
    for (const [method, path, body] of writes) {
      const options = body ? { body } : {};
      expect([path, await ask(method, path, { ...options, token: viewer })]).toEqual([path, refusal(403)]);
      expect([path, await ask(method, path, { ...options, token: stranger })]).toEqual([path, refusal(404)]);
    }
    expect(await ask('POST', runs, { token: viewer })).toEqual(refusal(403));
    for (const path of [`${runs}/${run.id}`, `${stageRuns}/`, `${targetRuns}/`, targetRun]) {
      expect((await ask('GET', path, { token: viewer })).status).toBe(200);
      expect(await ask('GET', path, { token: stranger })).toEqual(refusal(404));
      expect(await ask('GET', path, { token: null })).toEqual(refusal(401));
    }
    expect((await ask<Page>('GET', '/runs/', { token: stranger })).content.count).toBe(0);
  });
});

describe('given what is not as it should be', () => {
  const run = `/pipelines/${NOWHERE}/runs/${NOWHERE}`;
  const stageRun = `/runs/${NOWHERE}/stageruns/${NOWHERE}`;
  const targetRuns = `/stageruns/${NOWHERE}/targetruns`;
  const targetRun = `${targetRuns}/${NOWHERE}`;
  const command = `${targetRun}/command/${NOWHERE}`;
  const SETTABLE: readonly string[] = ['running', 'waiting', 'cancelled'];
  const cancelled = 'must be one of cancelled';
  const others = (states: readonly string[], settable: readonly string[]) =>
    [...states, 'done'].filter((state) => !settable.includes(state));

  it.each([
    [run, SETTABLE, others(RUN_STATES, SETTABLE)],
    [stageRun, ['cancelled'], others(STAGE_RUN_STATES, ['cancelled'])],
    [targetRun, ['cancelled'], others(TARGET_RUN_STATES, ['cancelled'])],
  ])('when the status of %s is set to another than %s, then 400 says which', async (path, settable, words) => {
    expect(words.length).toBeGreaterThan(7);
    for (const status of words) {
      const error = { field: 'status', message: `must be one of ${settable.join(', ')}` };
      const answer = { status: 400, code: 400, message: `status: ${error.message}`, content: { errors: [error] } };
      expect(await put(path, { status })).toEqual(answer);
    }
  });

  it.each([
    ['POST', `/pipelines/${NOWHERE}/runs/`, { surprise: 1 }, 'surprise', 'unknown field'],
    ['PUT', run, {}, 'status', 'is required'],
    ['PUT', run, { status: 'running', surprise: 1 }, 'surprise', 'unknown field'],
    ['PUT', targetRun, { status: 'cancelled', device_name: 5 }, 'device_name', 'must be string'],
    ['POST', targetRuns, { device_name: 'd' }, 'target_id', 'is required'],
    ['POST', targetRuns, { target_id: NOWHERE, device_id: NOWHERE }, 'device_id', 'unknown field'],
    ['POST', `${targetRun}/command/`, { command: 'WIPE' }, 'command', 'unknown field'],
    ['PUT', command, { request_status: 'success' }, 'request_status', cancelled],
    ['GET', '/runs/?status=done', undefined, 'status', `must be one of ${RUN_STATES.join(', ')}`],
    ['GET', `${targetRuns}/?status=waiting`, undefined, 'status', `must be one of ${TARGET_RUN_STATES.join(', ')}`],
    [
      'GET',
      `/runs/${NOWHERE}/stageruns/?status=waiting`,
      undefined,
      'status',
      `must be one of ${STAGE_RUN_STATES.join(', ')}`,
    ],
    ['GET', '/runs/?colour=red', undefined, 'colour', 'unknown field'],
    ['GET', `/pipelines/${NOWHERE}/runs/?pipeline_name=p`, undefined, 'pipeline_name', 'unknown field'],
    [
      'GET',
      `/pipelines/${NOWHERE}/runs/?ordering=pipeline__name`,
      undefined,
      'ordering',
      `must be one of ${RUN_ORDERINGS.join(', ')}`,
    ],
    ['GET', `${targetRuns}/?ordering=device_id`, undefined, 'ordering', 'must be one of status, -status'],
    ['GET', `${targetRuns}/?stage_run_operation_id=x`, undefined, 'stage_run_operation_id', 'must match format "uuid"'],
    ['GET', `${targetRuns}/?device_id=${NOWHERE}`, undefined, 'device_id', 'unknown field'],
    ['GET', `/pipelines/${NOWHERE}/runs/?limit=1001`, undefined, 'limit', 'must be <= 1000'],
  ])('when %s %s has %o, then 400 names %s', async (method, path, body, field, message) => {
    const { status, code, content } = await ask<Refused>(method, path, body && { body });
    expect([status, code, content.errors]).toEqual([400, 400, [{ field, message }]]);
  });

  it.each([run, stageRun, targetRun, `${targetRun}/command`, `/stageruns/x/operations/`, `/runs/${NOWHERE}/`])(
    'when %s names nothing, then 404',
    async (path) => {
      expect(await ask('GET', path)).toMatchObject({ status: 404, code: 404, content: { errors: [] } });
    },
  );
});
