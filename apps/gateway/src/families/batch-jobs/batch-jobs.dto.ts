import { jobPlanner } from '@muster/contracts';
import Type, { type Static } from 'typebox';

const closed = { additionalProperties: false };

const { project_id: _project, limit, offset, sort, ...filters } = jobPlanner.listJobs.request.properties;

/** Query of the job list (interfaces §1). */
export const ListJobs = Type.Object(
  { ...filters, limit: Type.Optional(limit), offset: Type.Optional(offset), sort: Type.Optional(sort) },
  closed,
);
export type ListJobs = Static<typeof ListJobs>;

const { status, marker, limit: taskLimit } = jobPlanner.listTasks.request.properties;

/** Query of a job's tasks. */
export const ListTasks = Type.Object({ status, marker, limit: Type.Optional(taskLimit) }, closed);
export type ListTasks = Static<typeof ListTasks>;
