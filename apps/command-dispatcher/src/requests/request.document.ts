import { SHOWN_DEVICES, type CommandRequestDocument } from '@muster/contracts';
import type { CountedRequest } from './user-request.store.js';

/** A user's request as a document, with the first `shown` of its devices. */
export function toDocument(request: CountedRequest, shown = SHOWN_DEVICES): CommandRequestDocument {
  const { body } = request;
  const devices = body.devices ?? [];
  return {
    id: request.id,
    project_id: request.project_id,
    command: body.command,
    command_type: body.command_type ?? 'DEVICE',
    device_type: body.device_type ?? 'all',
    devices: devices.slice(0, shown),
    devices_truncated: devices.length > shown,
    groups: body.groups ?? [],
    query: body.query ?? null,
    schedule: body.schedule ?? 'IMMEDIATE',
    schedule_args: body.schedule_args ?? {},
    args: body.args ?? {},
    priority: body.priority ?? 0,
    expires_at: body.expires_at ?? null,
    concurrent: body.concurrent ?? false,
    retry: body.retry ?? [],
    request_status: statusOf(request),
    request_status_reason: request.reason,
    created_by: request.created_by,
    created_at: request.created_at.toISOString(),
    updated_at: request.updated_at.toISOString(),
  };
}

function statusOf({ cancelled_at, expanded, counts }: CountedRequest): CommandRequestDocument['request_status'] {
  if (cancelled_at) return 'cancelled';
  if (!expanded) return 'pending';
  const ended = counts.SUCCESS + counts.FAILURE + counts.TIMEOUT + counts.CANCELLED;
  return ended === counts.total ? 'complete' : 'running';
}
