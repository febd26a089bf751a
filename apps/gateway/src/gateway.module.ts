import { Module } from '@nestjs/common';
import { APP_FILTER } from '@nestjs/core';
import { AuthHook } from './auth/auth.hook.js';
import { RefusalFilter } from './common/refusal.filter.js';
import { RouteTable } from './common/route-table.js';
import { BatchJobsController } from './families/batch-jobs/batch-jobs.controller.js';
import { DeadLettersOfAll } from './dead-letters/dead-letters.of-all.js';
import { ApprovalsController } from './families/fleet/approvals.controller.js';
import { CredentialsController } from './families/fleet/credentials.controller.js';
import { DeadLettersController } from './families/fleet/dead-letters.controller.js';
import { DeploymentsController } from './families/fleet/deployments.controller.js';
import { DevicesController } from './families/fleet/devices.controller.js';
import { DriftsController } from './families/fleet/drifts.controller.js';
import { GroupsController } from './families/fleet/groups.controller.js';
import { ProjectController } from './families/fleet/project.controller.js';
import { TimelineController } from './families/fleet/timeline.controller.js';
import { TokensController } from './families/fleet/tokens.controller.js';
import { WaitingController } from './families/fleet/waiting.controller.js';
import { CommandsController } from './families/operations/commands.controller.js';
import { DeviceOperationsController } from './families/operations/device-operations.controller.js';
import { OperationsController } from './families/operations/operations.controller.js';
import { OperationListsController } from './families/pipelines/operation-lists.controller.js';
import { PipelineOperationsController } from './families/pipelines/pipeline-operations.controller.js';
import { PipelineRunsController } from './families/pipelines/pipeline-runs.controller.js';
import { PipelinesController } from './families/pipelines/pipelines.controller.js';
import { StageRunOperationsController } from './families/pipelines/stage-run-operations.controller.js';
import { StageRunsController } from './families/pipelines/stage-runs.controller.js';
import { StageTargetListsController } from './families/pipelines/stage-target-lists.controller.js';
import { StagesController } from './families/pipelines/stages.controller.js';
import { TargetListDeviceGroupsController } from './families/pipelines/target-list-device-groups.controller.js';
import { TargetListsController } from './families/pipelines/target-lists.controller.js';
import { TargetRunCommandsController } from './families/pipelines/target-run-commands.controller.js';
import { TargetRunsController } from './families/pipelines/target-runs.controller.js';
import { TargetsController } from './families/pipelines/targets.controller.js';
import { Idempotency } from './idempotency/idempotency.js';
import { IdempotencyStore } from './idempotency/idempotency.store.js';
import { IdempotencySweep } from './idempotency/idempotency.sweep.js';
import { AsyncApiController } from './openapi/asyncapi.controller.js';
import { DeviceRegistration } from './registration/device.registration.js';
import { DeviceTimeline } from './timeline/device.timeline.js';
import { InstallationToken } from './tokens/installation-token.js';
import { ProjectStore } from './tokens/project.store.js';
import { TokenCache } from './tokens/token.cache.js';
import { TokenStore } from './tokens/token.store.js';
import { Tokens } from './tokens/tokens.js';
import { WaitingOfAll } from './waiting/waiting.of-all.js';

@Module({
  controllers: [
    ApprovalsController,
    BatchJobsController,
    CommandsController,
    CredentialsController,
    DeadLettersController,
    DeploymentsController,
    DevicesController,
    DriftsController,
    DeviceOperationsController,
    OperationsController,
    GroupsController,
    PipelinesController,
    StagesController,
    TargetListsController,
    TargetsController,
    TargetListDeviceGroupsController,
    StageTargetListsController,
    OperationListsController,
    PipelineOperationsController,
    ProjectController,
    PipelineRunsController,
    StageRunsController,
    StageRunOperationsController,
    TargetRunsController,
    TargetRunCommandsController,
    TimelineController,
    TokensController,
    WaitingController,
    AsyncApiController,
  ],
  providers: [
    { provide: APP_FILTER, useClass: RefusalFilter },
    RouteTable,
    AuthHook,
    DeadLettersOfAll,
    DeviceRegistration,
    DeviceTimeline,
    Idempotency,
    IdempotencyStore,
    IdempotencySweep,
    InstallationToken,
    ProjectStore,
    TokenCache,
    TokenStore,
    Tokens,
    WaitingOfAll,
  ],
})
export class GatewayModule {}
