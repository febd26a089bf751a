import { stageDeviceEntity } from '@muster/contracts';
import { defineStateTable } from '@muster/journal';
import { TARGET_COLUMNS, type TargetTable } from '../rollout/target.table.js';
import { stageDeviceLifecycle } from './stage-device.lifecycle.js';

export const stageDeviceTable = defineStateTable(stageDeviceEntity, {
  lifecycle: stageDeviceLifecycle,
  table: 'stage_device',
  activity: false,
  traced: false,
  eventData: ['stage_run_id', 'device_id'],
  columns: {
    ...TARGET_COLUMNS,
    stage_run_id: 'uuid',
    /** Its device: what it is found by. */
    target_id: 'uuid',
    list_target_id: 'uuid',
    device_alias: 'text',
    /** Who had it join the stage run; null of those on its lists. */
    added_by: 'integer',
    /** The operation that it is at, from 0, and the target run of that. */
    step: 'integer',
    target_run_id: 'uuid',
  },
});

/** The devices of stage runs as parts of their rollouts. */
export const stageTargets: TargetTable = {
  states: stageDeviceTable,
  owner: 'stage_run_id',
  item: ['step', 'target_run_id', 'list_target_id', 'device_alias', 'added_by'],
};
