import { ScheduleArgs, type Operation } from '@muster/contracts';
import { resolvedCount } from './operation.decide.js';
import type { OperationEntity } from './operation.entity.js';

const iso = (at: string) => new Date(at).toISOString();

/** The document of seed 001. Until a state has a reason of its own, the reason is its maker's. */
export function toOperation(row: OperationEntity): Operation {
  return {
    id: row.id,
    operation: row.operation,
    state: row.state,
    schedule_type: row.schedule_type,
    schedule_args: inOrder(row.schedule_args),
    operation_device_query: row.query,
    arguments: row.arguments,
    reason: row.reason || row.purpose,
    created_at: row.created_at.toISOString(),
    created_by: row.created_by,
    updated_at: row.updated_at.toISOString(),
    updated_by: row.updated_by,
    operation_activity: row.activity.map(({ state, at }) => ({ operation_state: state, created_at: iso(at) })),
    operation_stats: {
      device_operation_statuses_count: {
        resolved_device_count: resolvedCount(row),
        dispatched_device_count: row.sent,
        dispatch_failed_count: row.unsent,
        failed_device_count: row.in_failure + row.in_timeout - row.unsent,
        success_device_count: row.in_success,
      },
    },
    ...(row.rollout && { rollout: row.rollout }),
  };
}

/** As the seed shows them: Postgres keeps the keys of a document in an order of its own. */
const inOrder = (given: ScheduleArgs): ScheduleArgs =>
  Object.fromEntries(
    Object.keys(ScheduleArgs.properties).flatMap((name) =>
      Object.hasOwn(given, name) ? [[name, given[name as keyof ScheduleArgs]]] : [],
    ),
  );
