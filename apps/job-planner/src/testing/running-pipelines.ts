import {
  pipelines,
  type JsonObject,
  type NewStage,
  type OperationList,
  type Pipeline,
  type Stage,
  type TargetList,
} from '@muster/contracts';
import { v7 as uuid } from 'uuid';
import { expect } from 'vitest';
import { PROJECT, RunningPlanner } from './running-planner.js';

/** Who acts in these tests. */
export const ADA = 7;
export const BOB = 8;

export type ListKey = { project_id: string; pipeline_id: string; target_list_id: string };

/** The refusal of a request for one of its fields. */
export const refusalOf = (field: string, message: unknown = expect.any(String)): unknown =>
  expect.objectContaining({ kind: 'invalid', details: { errors: [{ field, message }] } }) as unknown;

export const NOT_FOUND: unknown = expect.objectContaining({ kind: 'not_found' }) as unknown;

/** The planner with what a test needs to make pipelines; device-state knows the planner's devices and groups. */
export class RunningPipelines {
  /** Groups that device-state has; they are empty. */
  readonly groups = { add: (id: string): unknown => this.planner.groups.set(id, []) };

  private constructor(readonly planner: RunningPlanner) {}

  static async start(): Promise<RunningPipelines> {
    const running = new RunningPipelines(await RunningPlanner.start());
    await running.planner.service.connection.flush();
    return running;
  }

  get call(): RunningPlanner['service']['call'] {
    return this.planner.service.call.bind(this.planner.service);
  }

  pipeline(name = 'a pipeline', id = uuid()): Promise<Pipeline> {
    return this.call(pipelines.pipeline.create, { project_id: PROJECT, id, definition: { name }, by: ADA });
  }

  stage(pipeline_id: string, definition: NewStage = { name: 'a stage' }, id = uuid()): Promise<Stage> {
    return this.call(pipelines.stage.create, { project_id: PROJECT, pipeline_id, id, definition, by: ADA });
  }

  list(pipeline_id: string, target_list_type: TargetList['target_list_type'] = 'DEVICES', id = uuid()) {
    const definition = { name: 'a list', target_list_type };
    return this.call(pipelines.targetList.create, { project_id: PROJECT, pipeline_id, id, definition, by: ADA });
  }

  /** A list of devices of a new pipeline. */
  async listOfDevices(): Promise<ListKey> {
    const { id: pipeline_id } = await this.pipeline();
    return { project_id: PROJECT, pipeline_id, target_list_id: (await this.list(pipeline_id)).id };
  }

  addAll(key: ListKey, device_ids: string[]): Promise<{ added: number }> {
    return this.call(pipelines.target.addAll, { ...key, device_ids, by: ADA });
  }

  link(stage_id: string, target_list_id: string): Promise<TargetList> {
    return this.call(pipelines.stageTargetList.link, { project_id: PROJECT, stage_id, target_list_id });
  }

  operationList(stage_id: string, id = uuid()): Promise<OperationList> {
    const definition = { name: 'operations' };
    return this.call(pipelines.operationList.create, { project_id: PROJECT, stage_id, id, definition, by: ADA });
  }

  operation(operation_list_id: string, operation_type = 'REBOOT', args?: JsonObject, id = uuid()) {
    const definition = { operation_type, ...(args && { args }) };
    return this.call(pipelines.operation.create, { project_id: PROJECT, operation_list_id, id, definition, by: ADA });
  }

  /** A pipeline of one stage with an operation on one device. */
  async whole() {
    const pipeline = await this.pipeline();
    const stage = await this.stage(pipeline.id);
    const list = await this.list(pipeline.id);
    const [device_id] = this.planner.nodes(1);
    const key = { project_id: PROJECT, pipeline_id: pipeline.id, target_list_id: list.id, id: uuid() };
    const target = await this.call(pipelines.target.create, { ...key, definition: { device_id: device_id! }, by: ADA });
    await this.link(stage.id, list.id);
    const operations = await this.operationList(stage.id);
    return { pipeline, stage, list, target, operations, operation: await this.operation(operations.id) };
  }

  async isValid(id: string): Promise<boolean> {
    return (await this.call(pipelines.pipeline.get, { project_id: PROJECT, id })).is_valid;
  }

  /** Stages of the pipeline as they follow each other. */
  async stages(pipeline_id: string): Promise<Stage[]> {
    const page = { project_id: PROJECT, pipeline_id, limit: 1000, offset: 0 };
    return (await this.call(pipelines.stage.list, page)).results;
  }
}
