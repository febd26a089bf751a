import {
  Command,
  COMMAND_STATES,
  CommandRequestDocument,
  CommandStats,
  parse,
  Uuid,
  type CommandState,
} from '@muster/contracts';
import Type, { type Static } from 'typebox';
import { OffsetPage, offsetParameters } from '../../common/offset.page.js';

const closed = { additionalProperties: false };

const {
  id,
  request_id: request,
  device_id: device,
  state,
  reason,
  created_at,
  updated_at,
  ...rest
} = Command.properties;
const { project_id: _project, ...ours } = rest;

/** One command to one device, as the vendor calls it: the status of a request on a device; the rest is ours. */
export const CommandStatus = Type.Object({ id, request, device, state, reason, created_at, updated_at, ...ours });
export type CommandStatus = Static<typeof CommandStatus>;

/** The vendor's words for a command. */
export function toStatus({ request_id, device_id, project_id: _, ...command }: Command): CommandStatus {
  return { ...command, request: request_id, device: device_id };
}

const {
  id: request_id,
  project_id: _slug,
  command,
  command_type,
  device_type,
  schedule,
  args,
  request_status,
  request_status_reason,
  ...ofRequest
} = CommandRequestDocument.properties;

/**
 * A command request as the vendor shows it (seed 000); the rest is ours. `target_run_id` and `operation_id` belong to the requests of
 * pipelines, and no other has them.
 */
export const CommandRequest = Type.Object({
  id: request_id,
  enterprise_id: Type.String({ format: 'uuid', description: 'of the project' }),
  command,
  command_type,
  device_type,
  device_id: Type.Union([Uuid, Type.Null()], { description: 'of a request to one device' }),
  schedule,
  args,
  request_id: Type.String({ format: 'uuid', description: 'the same as `id`' }),
  request_status,
  request_status_reason,
  ...ofRequest,
});
export type CommandRequest = Static<typeof CommandRequest>;

/** The vendor's words for a request of the project with this UUID. */
export function toRequest(document: CommandRequestDocument, enterprise_id: string): CommandRequest {
  const { id, project_id: _, command, command_type, device_type, schedule, args, ...others } = document;
  const { request_status, request_status_reason, ...ours } = others;
  const device_id = document.devices.length === 1 ? document.devices[0]! : null;
  return {
    ...{ id, enterprise_id, command, command_type, device_type, device_id, schedule, args },
    ...{ request_id: id, request_status, request_status_reason, ...ours },
  };
}

export const CommandRequestPage = OffsetPage(CommandRequest);
export const CommandStatusPage = OffsetPage(CommandStatus);
export { CommandStats };

export const ListRequests = Type.Object({ ...offsetParameters }, closed);
export type ListRequests = Static<typeof ListRequests>;

/** Ids or words between commas. */
const List = (description: string) =>
  Type.String({ maxLength: 4_000, description: `${description}; several with commas` });

export const ListStatuses = Type.Object(
  {
    request: Type.Optional(List('ids of requests')),
    device: Type.Optional(List('ids of devices')),
    state: Type.Optional(List('states')),
    ...offsetParameters,
  },
  closed,
);
export type ListStatuses = Static<typeof ListStatuses>;

const Filters = Type.Object({
  request: Type.Optional(Type.Array(Uuid, { maxItems: 100 })),
  device: Type.Optional(Type.Array(Uuid, { maxItems: 100 })),
  state: Type.Optional(Type.Array(Type.Enum([...COMMAND_STATES]), { maxItems: COMMAND_STATES.length })),
});

/** The filters of a list. @throws DomainError `invalid` naming the parameter. */
export function filtersOf({ request, device, state }: ListStatuses): Static<typeof Filters> {
  const split = (list: string) => list.split(',').map((word) => word.trim());
  return parse(Filters, {
    ...(request !== undefined && { request: split(request).map((one) => one.toLowerCase()) }),
    ...(device !== undefined && { device: split(device).map((one) => one.toLowerCase()) }),
    ...(state !== undefined && { state: split(state) as CommandState[] }),
  });
}

/** The one change that users make. */
export const CancelCommand = Type.Object(
  { state: Type.Literal('CANCELLED'), reason: Type.Optional(Type.String({ maxLength: 2048 })) },
  closed,
);
export type CancelCommand = Static<typeof CancelCommand>;
