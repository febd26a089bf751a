import {
  DEVICE_OPERATION_STATES,
  DeviceOperation,
  DeviceOperationReport,
  DomainError,
  Operation,
  OPERATION_ORDERINGS,
  OPERATION_STATES,
  operations,
  type DeviceOperationState,
} from '@muster/contracts';
import Type, { type Static } from 'typebox';
import { OffsetPage, offsetParameters } from '../../common/offset.page.js';

const closed = { additionalProperties: false };

const wordOrNumber = 'the word or the number of a state';

/** A state in a query, where numbers are text. */
const stateParameter = (states: Readonly<Record<string, number>>) =>
  Type.Optional(
    Type.Enum([...Object.keys(states), ...Object.values(states).map(String)], { description: wordOrNumber }),
  );

/** The word of a state that was given as its word or its number. */
export const stateOf = <State extends string>(states: Readonly<Record<State, number>>, given: string | number): State =>
  (Object.keys(states) as State[]).find((word) => word === given || String(states[word]) === String(given))!;

/** Query of the list of operations (interfaces §3). */
export const ListOperations = Type.Object(
  {
    state: stateParameter(OPERATION_STATES),
    operation_type: operations.listOperations.request.properties.operation_type,
    ordering: Type.Optional(Type.Enum([...OPERATION_ORDERINGS], { default: '-created_at' })),
    ...offsetParameters,
  },
  closed,
);
export type ListOperations = Static<typeof ListOperations>;

/** Query of the device operations of an operation. */
export const ListDeviceOperations = Type.Object(
  { state: stateParameter(DEVICE_OPERATION_STATES), ...offsetParameters },
  closed,
);
export type ListDeviceOperations = Static<typeof ListDeviceOperations>;

/** Query of the operations of a device. */
export const OffsetQuery = Type.Object(offsetParameters, closed);
export type OffsetQuery = Static<typeof OffsetQuery>;

export const OperationPage = OffsetPage(Operation);
export const DeviceOperationPage = Type.Object({ content: OffsetPage(DeviceOperation) });
export const DeviceOperationContent = Type.Object({ content: DeviceOperation });

const { reason } = DeviceOperationReport.properties;

/** Body of `PUT /api/v0/operations/{id}/`: an operation can be cancelled, and nothing else. */
export const ChangeOperation = Type.Object(
  { state: Type.Enum(['CANCELLED', OPERATION_STATES.CANCELLED], { description: wordOrNumber }), reason },
  closed,
);
export type ChangeOperation = Static<typeof ChangeOperation>;

export const CANCELLATION_REQUESTED = 'CANCELLATION_REQUESTED';
/** For those who send CANCELLED, which is a service's to report. */
export const HOW_TO_CANCEL = `to cancel, send the state ${CANCELLATION_REQUESTED}`;

/**
 * Body of `PUT /api/v0/operations/{id}/devices/{deviceId}/`: what a user asks, `CANCELLATION_REQUESTED`; or what a service says became of it, with
 * `operation_type` and `service_id` (seed 001).
 */
export const ChangeDeviceOperation = Type.Object(
  {
    operation_type: Type.Optional(DeviceOperationReport.properties.operation_type),
    state: Type.Enum(
      [CANCELLATION_REQUESTED, ...Object.keys(DEVICE_OPERATION_STATES), ...Object.values(DEVICE_OPERATION_STATES)],
      { description: `${CANCELLATION_REQUESTED}, or ${wordOrNumber} that a service reports` },
    ),
    service_id: Type.Optional(DeviceOperationReport.properties.service_id),
    reason,
  },
  closed,
);
export type ChangeDeviceOperation = Static<typeof ChangeDeviceOperation>;

/** What a service reports. @throws DomainError `invalid` naming what is missing. */
export function reportOf({
  operation_type,
  state,
  service_id,
  reason: why,
}: ChangeDeviceOperation): DeviceOperationReport {
  const given = { operation_type, service_id };
  const message = `is required of a report; ${HOW_TO_CANCEL}`;
  const errors = Object.entries(given).flatMap(([field, value]) => (value === undefined ? [{ field, message }] : []));
  const [first] = errors;
  if (first) throw new DomainError('invalid', `${first.field}: ${first.message}`, { errors });
  const word: DeviceOperationState = stateOf(DEVICE_OPERATION_STATES, state);
  return {
    operation_type: operation_type!,
    state: word,
    service_id: service_id!,
    ...(why !== undefined && { reason: why }),
  };
}
