import {
  DOCUMENT_FAULTS,
  documentFault,
  DomainError,
  type CommandRequest,
  type DeviceQuery,
  type FieldError,
  invalidField,
  type NewCommandRequest,
} from '@muster/contracts';
import { firstOpening, scheduleFaults } from '@muster/schedule';

/** Seconds that a device has from the send, and that a command waits for it where nothing else is said. */
const IN_PROGRESS_SECONDS = 3_600;
const OFFLINE_SECONDS = 604_800;
/** Where `expires_at` or the windows say how long it waits. */
const UNTIL_TOLD_SECONDS = 1_000_000_000;

const TARGETS = { DEVICE: 'devices', GROUP: 'groups', DYNAMIC: 'query' } as const;

const NOBODY: DeviceQuery = { ids: [] };

/**
 * The body as it is kept: each id once, and as Postgres writes it.
 * @throws DomainError `invalid` naming the fields that do not fit each other or the time.
 */
export function checkedBody(body: NewCommandRequest, timezone: string, now: number): NewCommandRequest {
  const errors = [...targetFaults(body), ...argsFaults(body), ...timeFaults(body, timezone, now)];
  const [first] = errors;
  if (first) throw new DomainError('invalid', `${first.field}: ${first.message}`, { errors });
  return {
    ...body,
    ...(body.devices && { devices: plainIds(body.devices) }),
    ...(body.groups && { groups: plainIds(body.groups) }),
  };
}

function targetFaults(body: NewCommandRequest): FieldError[] {
  const { command_type: type = 'DEVICE' } = body;
  const faults: FieldError[] = [];
  for (const [ofType, field] of Object.entries(TARGETS)) {
    if (ofType === type && body[field] === undefined) faults.push({ field, message: `is required for ${type}` });
    if (ofType !== type && body[field] !== undefined) faults.push({ field, message: `does not go with ${type}` });
  }
  return faults;
}

function argsFaults({ args = {} }: NewCommandRequest): FieldError[] {
  const fault = documentFault(args);
  return fault ? [{ field: 'args', message: DOCUMENT_FAULTS[fault] }] : [];
}

function timeFaults(body: NewCommandRequest, timezone: string, now: number): FieldError[] {
  const { schedule = 'IMMEDIATE', schedule_args, expires_at } = body;
  const faults = scheduleFaults(schedule, schedule_args, timezone, now);
  if (expires_at === undefined) return faults;
  const blame = (message: string) => faults.push({ field: 'expires_at', message });
  const expires = Date.parse(expires_at);
  if (expires <= now) blame('is in the past');
  else if (faults.length === 0 && schedule !== 'IMMEDIATE') {
    const opens = firstOpening({ schedule, args: schedule_args!, console_timezone: timezone }, now);
    if (opens !== null && expires <= opens)
      blame(`is before any window opens, which is not before ${new Date(opens).toISOString()}`);
  }
  return faults;
}

const plainIds = (ids: readonly string[]): string[] => [...new Set(ids.map((id) => id.toLowerCase()))];

/** What the commands of the request share. */
export function commandRequestOf(id: string, body: NewCommandRequest, timezone: string): CommandRequest {
  const { schedule = 'IMMEDIATE', schedule_args = {}, expires_at, concurrent, retry } = body;
  const waits = schedule !== 'IMMEDIATE' || expires_at !== undefined;
  return {
    request_id: id,
    command: body.command,
    args: body.args ?? {},
    in_progress_seconds: IN_PROGRESS_SECONDS,
    offline_seconds: waits ? UNTIL_TOLD_SECONDS : OFFLINE_SECONDS,
    priority: body.priority ?? 0,
    reply_to: '',
    ...(schedule !== 'IMMEDIATE' && { schedule: { schedule, args: schedule_args, console_timezone: timezone } }),
    ...(expires_at !== undefined && { expires_at }),
    ...(concurrent && { concurrent }),
    ...(retry && { retry }),
  };
}

/**
 * The devices of the request that are online, or not, as `device_type` says, among those that `query` means. What is wrong with it stands where
 * it stood: a refusal names the field as it was written.
 */
export function narrowed({ device_type = 'all' }: NewCommandRequest, query: DeviceQuery): DeviceQuery {
  if (device_type === 'all') return query;
  const online = device_type === 'active';
  return { ...query, ...((query.online ?? online) === online ? { online } : NOBODY) };
}

/** Which devices a GROUP or DYNAMIC request is for. */
export function queryOf(body: NewCommandRequest): DeviceQuery {
  const { groups } = body;
  if (!groups) return body.query!;
  return groups.length === 1 ? { group: groups[0]! } : { or: groups.map((group) => ({ group })) };
}

/** The refusal of the query that stands for the request's devices, as whoever asked for these knows it. Any other error as it is. */
export function ofTargets(error: unknown, { groups }: NewCommandRequest): unknown {
  const [first] = (groups && error instanceof DomainError && error.details.errors) || [];
  return first ? invalidField('groups', first.message) : error;
}
