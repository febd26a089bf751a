import { Module } from '@nestjs/common';
import { DeviceOperationChange } from '../device-operations/device-operation.change.js';
import { DeviceOperationDispatch } from '../device-operations/device-operation.dispatch.js';
import { DeviceOperationEnds } from '../device-operations/device-operation.ends.js';
import { DeviceOperationMove } from '../device-operations/device-operation.move.js';
import { DeviceOperationProof } from '../device-operations/device-operation.proof.js';
import { DeviceOperationStore } from '../device-operations/device-operation.store.js';
import { DeviceOperationTurn } from '../device-operations/device-operation.turn.js';
import { DeviceOperationsRpc } from '../device-operations/device-operations.rpc.js';
import { OperationRolloutWork } from '../device-operations/operation-rollout.work.js';
import { DeviceOperationOutcomes } from '../device-operations/outcomes.work.js';
import { DeviceSearch } from '../devices/device.search.js';
import { DeviceStore } from '../devices/device.store.js';
import { GroupStore } from '../groups/group.store.js';
import { DeviceOperationRetention } from '../retention/device-operation.retention.js';
import { OperationAdvance } from './operation.advance.js';
import { OperationCancel } from './operation.cancel.js';
import { OperationCreate } from './operation.create.js';
import { OperationReconcile } from './operation.reconcile.js';
import { OperationResolve } from './operation.resolve.js';
import { OperationRollout } from './operation.rollout.js';
import { OperationRunner } from './operation.runner.js';
import { OperationStore } from './operation.store.js';
import { OperationsRpc } from './operations.rpc.js';

/** Operations and their device operations. */
@Module({
  controllers: [OperationsRpc, DeviceOperationsRpc, DeviceOperationOutcomes, OperationRolloutWork],
  providers: [
    DeviceStore,
    DeviceSearch,
    GroupStore,
    OperationStore,
    OperationAdvance,
    OperationResolve,
    OperationReconcile,
    OperationRunner,
    OperationCreate,
    OperationRollout,
    OperationCancel,
    DeviceOperationStore,
    DeviceOperationMove,
    DeviceOperationEnds,
    DeviceOperationTurn,
    DeviceOperationDispatch,
    DeviceOperationProof,
    DeviceOperationChange,
    DeviceOperationRetention,
  ],
  exports: [DeviceOperationProof, OperationCreate],
})
export class OperationsModule {}
