import { operationPartEntity } from '@muster/contracts';
import { defineStateTable } from '@muster/journal';
import { TARGET_COLUMNS, type TargetTable } from '../rollout/target.table.js';
import { operationPartLifecycle } from './operation-part.lifecycle.js';

export const operationPartTable = defineStateTable(operationPartEntity, {
  lifecycle: operationPartLifecycle,
  table: 'operation_part',
  activity: false,
  traced: false,
  eventData: ['operation_id', 'device_id'],
  columns: {
    ...TARGET_COLUMNS,
    operation_id: 'uuid',
    /** Its device: what it is found by. */
    target_id: 'uuid',
  },
});

/** The devices of operations as parts of their rollouts. */
export const operationTargets: TargetTable = { states: operationPartTable, owner: 'operation_id', item: [] };
