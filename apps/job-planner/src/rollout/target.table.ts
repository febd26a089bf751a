import type { Columns, StateTable } from '@muster/journal';
import type { JobTaskStatus } from '@muster/contracts';

/** The columns of a device's part in a rollout, beside those of its family. */
export const TARGET_COLUMNS = {
  device_id: 'uuid',
  /** Where it stands in the order of the rollout; 0 where all go in the order of their ids. */
  place: 'integer',
  /** Its own zone, where windows are read on its clock. */
  timezone: 'text',
  /** While it is Waiting: '' for its turn, `retry_at`, or `offline`; while it is Running: `proof`, or ''. */
  waits_for: 'text',
  /** The command of the present try, once there is one. */
  command_id: 'uuid',
  /** How often it was tried. */
  attempts: 'integer',
  /** How often it was released, be it for the first time, again, or because its device is back. */
  releases: 'integer',
  /** When it goes on, or is asked about again. */
  ask_at: 'timestamptz',
  /** How often that was done since it moved last. */
  asks: 'integer',
  /** By when its device must have been contacted, where that takes several commands. */
  contact_by: 'timestamptz',
  /** By when its device must have shown its success. */
  proof_by: 'timestamptz',
  /** Seconds from its release to its success. */
  took: 'double precision',
  /** What it had before, where it may be brought back to that; and whether its device was sent a command that it did not refuse. */
  before: 'jsonb',
  sent: 'boolean',
  /** What it came to, or its last try did, in the words of a tally; null before. */
  outcome: 'text',
  round: 'integer',
} as const satisfies Columns;

type TargetColumns = typeof TARGET_COLUMNS;

/** What a statement must return of parts whose commands are asked for, beside what their family needs. */
export const UNDER_WAY = [
  'device_id',
  'command_id',
  'releases',
  'timezone',
  'contact_by',
] as const satisfies (keyof TargetColumns)[];

/** A table of devices' parts in rollouts. */
export interface TargetTable {
  states: StateTable<JobTaskStatus, Columns & TargetColumns>;
  /** The column with the id of the rollout. */
  owner: string;
  /** Further columns that {@link Family.item} needs. */
  item: readonly string[];
}

/** SQL: those columns, for a migration. */
export const targetColumns = `
  device_id uuid NOT NULL,
  place integer NOT NULL DEFAULT 0,
  timezone text,
  waits_for text NOT NULL DEFAULT '',
  command_id uuid,
  attempts integer NOT NULL DEFAULT 0,
  releases integer NOT NULL DEFAULT 0,
  ask_at timestamptz,
  asks integer NOT NULL DEFAULT 0,
  contact_by timestamptz,
  proof_by timestamptz,
  took double precision,
  before jsonb,
  sent boolean NOT NULL DEFAULT false,
  outcome text,
  round integer NOT NULL DEFAULT 0`;

/** SQL: the indexes that rollouts need of such a table. */
export const targetIndexes = (table: string, owner: string): string[] => [
  `CREATE UNIQUE INDEX ${table}_of_device ON ${table} (project_id, device_id, ${owner}, target_id)`,
  `CREATE INDEX ${table}_turn ON ${table} (project_id, ${owner}, place, id) WHERE state = 'Waiting' AND waits_for = ''`,
  `CREATE INDEX ${table}_turn_in_zone ON ${table} (project_id, ${owner}, timezone, place, id)
     WHERE state = 'Waiting' AND waits_for = '' AND timezone IS NOT NULL`,
  `CREATE INDEX ${table}_held ON ${table} (project_id, ${owner}, waits_for, ask_at) WHERE state = 'Waiting' AND waits_for <> ''`,
  `CREATE INDEX ${table}_in_flight ON ${table} (project_id, ${owner}, id) WHERE state IN ('Running', 'Stopping')`,
  `CREATE INDEX ${table}_unsuccessful ON ${table} (project_id, ${owner}, id) WHERE state IN ('Failed', 'Timed_out', 'Stopped')`,
];
