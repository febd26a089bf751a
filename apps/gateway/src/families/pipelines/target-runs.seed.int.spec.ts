import { v7 as uuid } from 'uuid';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startGateway, type TestGateway } from '../../testing/gateway.harness.js';
import { FakePipelineRuns } from '../../testing/pipeline-runs.fake.js';

/** Seed 000's documents, but for `device_alias`: it shows an id there, and an alias is a text for people. */
const TARGET_RUN = {
  id: 'string',
  target_id: 'd3bcdc92-4191-401b-ad0c-42056c6efab9',
  device_id: '3bafab7b-4400-4bcf-8e6e-09f954699940',
  device_alias: 'string',
  stage_run_id: 'c6c7d692-4cdb-4e1f-9d55-db374c0d6d91',
  stage_run_operation_id: 'a9c0e333-8eab-4d53-af82-630cdcc11428',
  command_id: 'string',
  command_status: 'string',
  command_meta: {},
  status: 'pending',
  created_by: 0,
  updated_by: 0,
  created_at: '2019-08-24T14:15:22Z',
  updated_at: '2019-08-24T14:15:22Z',
  started_at: '2019-08-24T14:15:22Z',
  ended_at: '2019-08-24T14:15:22Z',
};

const COMMAND = {
  target_run_id: '0f2ab1df-1de3-4f85-b0b8-63282bf0d88f',
  operation_id: 'cb4ede3c-a5d1-45e3-a9d2-fe83accbce52',
  enterprise_id: '2dbe425a-b3bc-4170-8bae-9e5391aafea6',
  command: 'string',
  command_type: 'DEVICE',
  device_type: 'all',
  device_id: '3bafab7b-4400-4bcf-8e6e-09f954699940',
  schedule: 'IMMEDIATE',
  args: {},
  request_id: '266ea41d-adf5-480b-af50-15b940c2b846',
  request_status: 'string',
  request_status_reason: 'string',
};

const answerOf = <Content>(content: Content) => ({ code: 0, message: 'string', content });
const LIST = answerOf({ count: 0, previous: 'string', next: 'string', results: [TARGET_RUN] });
const CREATED = answerOf([TARGET_RUN]);
const SHOWN = answerOf(TARGET_RUN);
const COMMANDED = answerOf(COMMAND);
/** What has not come yet is null. */
const UNSENT = { ...TARGET_RUN, command_id: null, started_at: null };

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/;

const kindOf = (value: unknown): string => {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'list';
  if (typeof value !== 'string') return typeof value;
  return [UUID, TIME].find((format) => format.test(value))?.source ?? 'text';
};

/** Where an answer has other names, another order of them or other types than the seed's document; where that says `string`, any text will do. */
function differences(seed: unknown, answer: unknown, at = ''): string[] {
  const [wanted, given] = [kindOf(seed), kindOf(answer)];
  const fits = wanted === 'text' ? typeof answer === 'string' : wanted === given;
  if (!fits) return [`${at}: ${given}, not ${wanted}`];
  if (Array.isArray(seed)) {
    const items = answer as unknown[];
    return items.length === 0 ? [`${at}: empty`] : items.flatMap((item) => differences(seed[0], item, `${at}[]`));
  }
  if (wanted !== 'object' || Object.keys(seed as object).length === 0) return [];
  const [names, others] = [Object.keys(seed as object), Object.keys(answer as object)];
  if (names.join() !== others.join()) return [`${at}: ${others.join()}, not ${names.join()}`];
  const valueOf = (document: unknown, name: string) => (document as Record<string, unknown>)[name];
  return names.flatMap((name) => differences(valueOf(seed, name), valueOf(answer, name), `${at}.${name}`));
}

type Created = { content: { id: string; target_id: string }[] };

let gateway: TestGateway;
let fake: FakePipelineRuns;
let targetRuns: string;
let sent: Created['content'][number];
let unsent: Created['content'][number];

beforeAll(async () => {
  gateway = await startGateway();
  fake = new FakePipelineRuns(gateway.bus);
  await fake.start();
  const { content: run } = await ask<{ content: { id: string } }>('POST', `pipelines/${uuid()}/runs/`, {});
  const stageRuns = `runs/${run.id}/stageruns/`;
  const { content: page } = await ask<{ content: { results: { id: string }[] } }>('GET', stageRuns);
  targetRuns = `stageruns/${page.results[0]!.id}/targetruns/`;
  const made = [await add(uuid()), await add(uuid())];
  for (const { id } of made[0]!.content) fake.succeed(id);
  [sent, unsent] = [made[0]!.content[0]!, made[1]!.content[0]!];
});

afterAll(() => gateway.stop());

async function ask<Answer>(method: string, path: string, body?: object): Promise<Answer> {
  const answer = await gateway.ask(method, `/api/pipelines/v0/${path}`, body && { body });
  expect([path, answer.status]).toEqual([path, 200]);
  return answer.json<Answer>();
}
const add = (target_id: string) =>
  ask<Created>('POST', targetRuns, { target_id, device_name: 'string', device_alias: 'string' });

describe('given the documents of seed 000', () => {
  it('when target runs are listed, then field by field', async () => {
    const page = (offset: number) => ask('GET', `${targetRuns}?status=success&limit=1&offset=${offset}`);
    const ended = await add(uuid());
    for (const { id } of ended.content) fake.succeed(id);
    expect(differences(LIST, await page(1))).toEqual([]);
    expect(differences(answerOf({ ...LIST.content, previous: null }), await page(0))).toEqual([]);
    expect(differences(answerOf({ ...LIST.content, next: null }), await page(3))).toEqual([]);
  });

  it('when target runs are created, then field by field, in a list', async () => {
    expect(differences(CREATED, await add(sent.target_id))).toEqual([]);
    expect(differences(answerOf([{ ...UNSENT, ended_at: null }]), await add(uuid()))).toEqual([]);
  });

  it('when a target run is shown, then field by field', async () => {
    expect(differences(SHOWN, await ask('GET', `${targetRuns}${sent.id}/`))).toEqual([]);
  });

  it('when a target run is updated, then field by field', async () => {
    const body = { status: 'cancelled', device_name: 'string' };
    expect(differences(answerOf(UNSENT), await ask('PUT', `${targetRuns}${unsent.id}/`, body))).toEqual([]);
  });

  it('when its command is shown, created and updated, then field by field', async () => {
    const path = `${targetRuns}${sent.id}/command/`;
    const shown = await ask<{ content: { request_id: string } }>('GET', path);
    const updated = await ask('PUT', `${path}${shown.content.request_id}/`, { request_status: 'cancelled' });
    for (const answer of [shown, await ask('POST', path, {}), updated]) {
      expect(differences(COMMANDED, answer)).toEqual([]);
      const { command_type, device_type, schedule } = COMMAND;
      expect(answer).toMatchObject({ code: 0, content: { command_type, device_type, schedule } });
    }
  });

  it('when an answer has another name, order or type, then it differs', () => {
    const { id, ...rest } = TARGET_RUN;
    for (const other of [{ ...rest, id }, rest, { ...TARGET_RUN, more: 1 }, { ...TARGET_RUN, created_by: '0' }])
      expect(differences(SHOWN, answerOf(other))).toHaveLength(1);
    expect(differences(COMMANDED, answerOf({ ...COMMAND, request_id: 'none' }))).toHaveLength(1);
  });
});
