import type { JsonObject, TargetRun } from '@muster/contracts';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { PlayedDevices } from '../harness/played-devices.ts';
import { Stack } from '../harness/stack.js';
import { lines } from './formats.js';
import command from './golden/target-run-command.json' with { type: 'json' };
import targetRun from './golden/target-run.json' with { type: 'json' };
import targetRunsCreated from './golden/target-runs-created.json' with { type: 'json' };
import targetRuns from './golden/target-runs.json' with { type: 'json' };
import { PipelinesClient, type Enveloped } from './pipelines.js';

const DEVICES = 4;
const DONE = DEVICES - 1;
const UUID = targetRun.content.device_id;
const PATIENCE = { timeout: 30_000, interval: 20 };

let stack: Stack;
let client: PipelinesClient;
let devices: PlayedDevices;
/** The path of a stage run's target runs: of its devices, which have one slot, all but the last have ended. */
let path: string;
/** Devices that take no part at first. */
let others: string[];

beforeAll(async () => {
  stack = await Stack.start();
  client = new PipelinesClient(stack);
  const names = Array.from({ length: DEVICES + 2 }, (_, n) => `golden-${n}`);
  devices = await PlayedDevices.start(stack, names);
  others = devices.ids.slice(DEVICES);
  const stage = { name: 'only', rollout: { max_in_flight: 1 }, operations: [{ operation_type: 'PING' }] };
  const { id } = await client.start(await client.define([stage], devices.ids.slice(0, DEVICES)));
  const [stageRun] = await client.stageRuns(id);
  path = `/stageruns/${stageRun!.id}/targetruns/`;
  const succeeded = async () => (await client.stageRuns(id))[0]!.progress!.succeeded;
  for (let done = 0; done < DONE; done++) {
    const command = await vi.waitUntil(() => devices.underWay[0], PATIENCE);
    devices.end(command, 'success');
    await vi.waitUntil(async () => (await succeeded()) === done + 1, PATIENCE);
  }
  await vi.waitUntil(() => one('running'), PATIENCE);
});
afterAll(async () => {
  devices?.stop();
  await stack?.stop();
});

/**
 * What the seed leaves open in a target run, as it is here: its texts are ids where ids belong, the status of a command is a word, an alias is
 * no id, and `command_meta` has three fields.
 */
const HERE = {
  id: UUID,
  device_alias: 'text',
  command_id: UUID,
  command_status: 'WORD',
  command_meta: { reason: 'text', code: 'text', attempts: 1 },
};
const ended = { ...targetRun.content, ...HERE };
/** One whose turn has not come. */
const queued = { ...ended, command_id: null, command_status: 'text', started_at: null, ended_at: null };

const answerOf = async (method: string, at: string, body?: object) => {
  const answer = await client.answer<Enveloped<JsonObject>>(method, at, body);
  expect([at, answer.status]).toEqual([at, 200]);
  return answer.body;
};
const one = async (status: string) =>
  (await client.ask<{ results: TargetRun[] }>('GET', `${path}?status=${status}`)).results[0];

describe('the documents of target runs', () => {
  it('given those of a stage run, when a page of them is read, then it is the documented document', async () => {
    const page = await answerOf('GET', `${path}?status=success&limit=1&offset=1`);
    const { content } = targetRuns;
    expect(lines(page)).toEqual(lines({ ...targetRuns, content: { ...content, results: [ended] } }));
    expect(page).toMatchObject({ code: 0, content: { count: DONE } });
  });

  it('given one that has ended, when it is read, then it is the documented document', async () => {
    const { id } = (await one('success'))!;
    expect(lines(await answerOf('GET', `${path}${id}/`))).toEqual(lines({ ...targetRun, content: ended }));
  });

  it('given the documented body, when target runs are created, then they are the documented list, with null for what has not come', async () => {
    const other = others[0]!;
    const body = { target_id: other, device_name: 'string', device_alias: 'string' };
    const created = await answerOf('POST', path, body);
    expect(lines(created)).toEqual(lines({ ...targetRunsCreated, content: [queued] }));
    expect(created).toMatchObject({ content: [{ target_id: other, device_id: other, device_alias: 'string' }] });
    const { target_id } = (await one('success'))!;
    const again = await answerOf('POST', path, { ...body, target_id });
    expect(lines(again)).toEqual(lines({ ...targetRunsCreated, content: [ended] }));
  });

  it('given the documented body, when one that was not dispatched is cancelled, then it is the documented document', async () => {
    const [{ id }] = await client.ask<[TargetRun]>('POST', path, { target_id: others[1] });
    const updated = await answerOf('PUT', `${path}${id}/`, { status: 'cancelled', device_name: 'string' });
    const cancelled = { ...queued, ended_at: targetRun.content.ended_at };
    expect(lines(updated)).toEqual(lines({ ...targetRun, content: cancelled }));
    expect(updated).toMatchObject({ content: { id, status: 'cancelled' } });
  });
});

describe('the document of the command of a target run', () => {
  it('given one that is under way, when it is read, requested and cancelled, then each answer is the documented document', async () => {
    const { id, device_id, stage_run_operation_id, command_id } = (await one('running'))!;
    const at = `${path}${id}/command/`;
    const shown = await answerOf('GET', at);
    const requested = await answerOf('POST', at, {});
    const cancelled = await answerOf('PUT', `${at}${command_id}/`, { request_status: 'cancelled' });
    for (const answer of [shown, requested, cancelled]) {
      expect(lines(answer)).toEqual(lines({ ...command, content: { ...command.content, command: 'WORD' } }));
      const { command_type, device_type, schedule, args } = command.content;
      expect(answer).toMatchObject({
        code: 0,
        content: { target_run_id: id, operation_id: stage_run_operation_id, command: 'PING', device_id },
      });
      expect(answer.content).toMatchObject({ command_type, device_type, schedule, args, request_id: command_id });
    }
    expect(requested).toEqual(shown);
    const { enterprise_id } = shown.content;
    expect(await client.ask('GET', `/pipelines/?limit=1`)).toMatchObject({ results: [{ enterprise_id }] });
  });
});
