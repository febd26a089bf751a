import {
  pipelineRuns,
  pipelines,
  type NewStage,
  type PipelineRun,
  type RunState,
  type StageRun,
  type TargetRun,
} from '@muster/contracts';
import { v7 as uuid } from 'uuid';
import { expect, vi } from 'vitest';
import { ADA, BOB, type RunningPipelines } from './running-pipelines.js';
import { PROJECT, USER } from './running-planner.js';

const ALL = { limit: 1000, offset: 0 };

/** What tests do with runs of pipelines. */
export function runsOf(running: () => RunningPipelines) {
  /** A pipeline whose stages all work on the same devices with these operations. */
  async function pipelineOf(stages: NewStage[], devices: string[], operations = ['INSTALL']) {
    const pipeline = await running().pipeline('release');
    const list = await running().list(pipeline.id);
    await running().addAll({ project_id: PROJECT, pipeline_id: pipeline.id, target_list_id: list.id }, devices);
    for (const definition of stages) {
      const stage = await running().stage(pipeline.id, definition);
      await running().link(stage.id, list.id);
      const operationList = await running().operationList(stage.id);
      for (const operation_type of operations)
        await running().call(pipelines.operation.create, {
          project_id: PROJECT,
          operation_list_id: operationList.id,
          id: uuid(),
          definition: { operation_type, args: { app: 'kiosk' } },
          by: ADA,
        });
    }
    return pipeline.id;
  }

  const startRun = (pipeline_id: string, id = uuid()): Promise<PipelineRun> =>
    running().call(pipelineRuns.startRun, { project_id: PROJECT, pipeline_id, id, by: ADA, actor_id: USER });
  const runOf = (id: string): Promise<PipelineRun> => running().call(pipelineRuns.getRun, { project_id: PROJECT, id });
  const setRun = ({ pipeline_id, id }: PipelineRun, status: 'running' | 'waiting' | 'cancelled') =>
    running().call(pipelineRuns.setRun, { project_id: PROJECT, pipeline_id, id, status, by: BOB });
  const stageRuns = async ({ id }: PipelineRun): Promise<StageRun[]> =>
    (await running().call(pipelineRuns.listStageRuns, { project_id: PROJECT, pipeline_run_id: id, ...ALL })).results;
  const operationsOf = async (stage_run_id: string) =>
    (await running().call(pipelineRuns.listStageRunOperations, { project_id: PROJECT, stage_run_id, ...ALL })).results;
  const targetRuns = async (stage_run_id: string): Promise<TargetRun[]> =>
    (await running().call(pipelineRuns.listTargetRuns, { project_id: PROJECT, stage_run_id, ...ALL })).results;

  async function reached(run: PipelineRun, status: RunState): Promise<PipelineRun> {
    let last = run;
    await vi.waitUntil(async () => (last = await runOf(run.id)).status === status).catch(() => undefined);
    expect(last.status).toBe(status);
    return last;
  }

  /** The commands asked for an operation of a stage run, once there are so many. */
  async function askedFor(stage: StageRun, step: number, count: number) {
    const operation = (await operationsOf(stage.id))[step]!;
    return { operation: operation.id, items: await running().planner.askedFor(operation.id, count) };
  }

  return { pipelineOf, startRun, runOf, setRun, stageRuns, targetRuns, reached, askedFor };
}
