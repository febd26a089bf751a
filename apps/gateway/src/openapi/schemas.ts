import {
  Approval,
  CommandStats,
  DeadLetter,
  Decision,
  Deployment,
  DeploymentSummary,
  Device,
  DeviceDetail,
  DeviceGroup,
  DeviceGroupPatch,
  DeviceOperation,
  DeviceOperationCounts,
  DevicePatch,
  DeviceQuery,
  Drift,
  Job,
  JobSummary,
  JobTask,
  NewCommandRequest,
  NewDevice,
  NewDeviceGroup,
  NewJob,
  NewOperation,
  NewOperationList,
  NewPipeline,
  NewPipelineOperation,
  NewStage,
  NewTarget,
  NewTargetList,
  Operation,
  OperationDeviceQuery,
  OperationList,
  PipelineOperation,
  Progress,
  Rollout,
  RolloutPlan,
  ScheduleArgs,
  StageRunOperation,
  Target,
  TargetList,
  TargetListDeviceGroup,
  TargetRun,
} from '@muster/contracts';
import type { ApiResponseSchemaHost } from '@nestjs/swagger';
import type { TSchema } from 'typebox';
import { Problem } from '../common/problem.js';
import { BatchJobsError } from '../families/batch-jobs/batch-jobs.dialect.js';
import { CommandRequest, CommandStatus } from '../families/operations/commands.dto.js';
import { OperationsError } from '../families/operations/operations.dialect.js';
import { PipelinesError } from '../families/pipelines/pipelines.dialect.js';
import { Pipeline, Stage } from '../families/pipelines/pipelines.dto.js';
import { BulkAnswer, IssuedToken, NewToken, Project, ProjectPatch, Token } from '../families/fleet/fleet.dto.js';
import {
  OperationListPut,
  PipelineOperationPut,
  PipelinePut,
  StagePut,
  TargetListPut,
  TargetPut,
} from '../families/pipelines/pipelines.puts.js';
import { NewTargetRuns, PipelineRun, StageRun, TargetRunCommand } from '../families/pipelines/runs.dto.js';

export type OpenApiSchema = ApiResponseSchemaHost['schema'];
type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

/** The schemas that have a name in the document; everywhere else they are referred to. */
const NAMED: Readonly<Record<string, TSchema>> = {
  Approval,
  BatchJobsError,
  BulkAnswer,
  CommandRequest,
  CommandStats,
  CommandStatus,
  DeadLetter,
  Decision,
  Deployment,
  DeploymentSummary,
  Device,
  DeviceDetail,
  DeviceGroup,
  DeviceGroupPatch,
  DeviceOperation,
  DeviceOperationCounts,
  DevicePatch,
  DeviceQuery,
  Drift,
  IssuedToken,
  Job,
  JobSummary,
  JobTask,
  NewCommandRequest,
  NewDevice,
  NewDeviceGroup,
  NewJob,
  NewOperation,
  NewOperationList,
  NewPipeline,
  NewPipelineOperation,
  NewStage,
  NewTarget,
  NewTargetList,
  NewTargetRuns,
  NewToken,
  Operation,
  OperationDeviceQuery,
  OperationList,
  OperationListPut,
  OperationsError,
  Pipeline,
  PipelineOperation,
  PipelineOperationPut,
  PipelinePut,
  PipelineRun,
  PipelinesError,
  Problem,
  Progress,
  Project,
  ProjectPatch,
  Rollout,
  RolloutPlan,
  ScheduleArgs,
  Stage,
  StagePut,
  StageRun,
  StageRunOperation,
  Target,
  TargetList,
  TargetListDeviceGroup,
  TargetListPut,
  TargetPut,
  TargetRun,
  TargetRunCommand,
  Token,
};

// By content, because a schema that is made optional is another object with the same content.
const names = new Map(Object.entries(NAMED).map(([name, schema]) => [JSON.stringify(schema), name]));

const refTo = (name: string) => ({ $ref: `#/components/schemas/${name}` });

/** A contract's schema as OpenAPI 3.1 has it, which is JSON Schema 2020-12 but for where definitions stand. */
export const toOpenApi = (schema: TSchema): OpenApiSchema =>
  convert(JSON.parse(JSON.stringify(schema)) as Json, undefined) as OpenApiSchema;

/** `components.schemas` of the document. */
export const namedSchemas = (): Record<string, OpenApiSchema> =>
  Object.fromEntries(
    Object.entries(NAMED).map(([name, schema]) => {
      const json = JSON.parse(JSON.stringify(schema)) as Json;
      return [name, convert(definitionOf(json), name) as OpenApiSchema];
    }),
  );

/** What a schema that refers to itself (`{$defs, $ref}`) really says. */
function definitionOf(json: Json): Json {
  if (!isObject(json) || !isObject(json['$defs']) || typeof json['$ref'] !== 'string') return json;
  return json['$defs'][json['$ref']] ?? json;
}

/** `within`: the named schema that is being written; its own content stands there, and a reference to itself is one to its name. */
function convert(json: Json, within: string | undefined, top = true): Json {
  if (Array.isArray(json)) return json.map((one) => convert(one, within, false));
  if (!isObject(json)) return json;
  const name = names.get(JSON.stringify(json));
  if (name !== undefined && !(top && name === within)) return refTo(name);
  if (typeof json['$ref'] === 'string' && within !== undefined) return refTo(within);
  const entries = Object.entries(json).filter(([key]) => key !== '$id');
  return Object.fromEntries(entries.map(([key, value]) => [key, convert(value, within, false)]));
}

const isObject = (json: Json | undefined): json is { [key: string]: Json } =>
  typeof json === 'object' && json !== null && !Array.isArray(json);
