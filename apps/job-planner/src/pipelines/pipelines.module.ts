import { Module } from '@nestjs/common';
import { OperationListStore } from './operation-list.store.js';
import { OperationListsRpc } from './operation-lists.rpc.js';
import { PipelineChanges } from './pipeline.changes.js';
import { PipelineOperationStore } from './pipeline-operation.store.js';
import { PipelineOperationsRpc } from './pipeline-operations.rpc.js';
import { PipelineStore } from './pipeline.store.js';
import { PipelinesRpc } from './pipelines.rpc.js';
import { StageTargetListStore } from './stage-target-list.store.js';
import { StageTargetListsRpc } from './stage-target-lists.rpc.js';
import { StageStore } from './stage.store.js';
import { StagesRpc } from './stages.rpc.js';
import { TargetDevices } from './target.devices.js';
import { TargetListDeviceGroupStore } from './target-list-device-group.store.js';
import { TargetListDeviceGroupsRpc } from './target-list-device-groups.rpc.js';
import { TargetListStore } from './target-list.store.js';
import { TargetListsRpc } from './target-lists.rpc.js';
import { TargetRemoval } from './target.removal.js';
import { TargetStore } from './target.store.js';
import { TargetsRpc } from './targets.rpc.js';

/** What pipelines consist of. */
@Module({
  controllers: [
    PipelinesRpc,
    StagesRpc,
    TargetListsRpc,
    TargetsRpc,
    TargetListDeviceGroupsRpc,
    StageTargetListsRpc,
    OperationListsRpc,
    PipelineOperationsRpc,
  ],
  providers: [
    PipelineChanges,
    PipelineStore,
    StageStore,
    TargetListStore,
    TargetStore,
    TargetDevices,
    TargetRemoval,
    TargetListDeviceGroupStore,
    StageTargetListStore,
    OperationListStore,
    PipelineOperationStore,
  ],
  exports: [PipelineStore, TargetDevices],
})
export class PipelinesModule {}
