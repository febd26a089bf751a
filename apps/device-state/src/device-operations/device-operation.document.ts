import type { DeviceOperation, DeviceOperationState, WaitsFor } from '@muster/contracts';
import type { DeviceOperationEntity } from './device-operation.entity.js';

/** The columns that a document is made of; what a CONVERGE wanted may be large, and is in none. */
export const DOCUMENT_COLUMNS = {
  project_id: true,
  id: true,
  operation_id: true,
  device_id: true,
  state: true,
  reason: true,
  created_at: true,
  state_at: true,
  activity: true,
} satisfies Partial<Record<keyof DeviceOperationEntity, true>>;

/** The document of seed 001. */
export const toDeviceOperation = (
  row: Pick<DeviceOperationEntity, keyof typeof DOCUMENT_COLUMNS>,
): DeviceOperation => ({
  id: row.id,
  operation_id: row.operation_id,
  device_id: row.device_id,
  state: row.state,
  reason: row.reason,
  created_at: row.created_at.toISOString(),
  updated_at: row.state_at.toISOString(),
  device_operation_activity: row.activity.map(({ state, at }) => ({
    device_operation_state: state,
    created_at: new Date(at).toISOString(),
  })),
});

/** What a device operation that has not ended waits for. */
export const waitsFor: Readonly<Partial<Record<DeviceOperationState, WaitsFor>>> = {
  CREATED: 'dispatch',
  INITIATED: 'in_flight',
  DISPATCHED: 'answer',
  PROCESSING: 'answer',
  COMPLETED: 'proof',
};
