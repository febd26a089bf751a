import type { commandWork, JsonObject, WorkItem } from '@muster/contracts';
import type { Tx } from '@muster/journal';
import type { Subject } from '../approvals/approvals.js';
import type { LockedRollout } from './locked-rollout.js';
import type { RolloutEntity, RolloutFamilyName } from './rollout.entity.js';
import type { TargetTable } from './target.table.js';

/** A device that gets its part in a rollout. */
export interface NewTarget {
  target_id: string;
  device_id: string;
  /** IANA name. */
  timezone: string;
  /** Columns of the family. */
  own: Readonly<Record<string, unknown>>;
}

/** A page of the devices of a rollout, in the order of its planning. */
export interface TargetPage {
  targets: readonly NewTarget[];
  cursor: string;
  last: boolean;
}

/** What a device is asked, beside what all of its rollout are. */
export type Item = Pick<WorkItem<typeof commandWork.request>, 'args'>;

/** What is rolled out: says which devices there are, what each is asked, and what the rollout means for its own state. */
export interface Family {
  readonly name: RolloutFamilyName;
  readonly table: TargetTable;

  /** The page of devices after `rollout.plan_cursor` of its pass; undefined while they cannot be told yet. Asked without any lock. */
  page(rollout: RolloutEntity): Promise<TargetPage | undefined>;

  /** What the devices with these parts have, to be brought back to; those left out are not known. Asked without any lock. */
  before(rollout: RolloutEntity, ids: readonly string[]): Promise<ReadonlyMap<string, JsonObject>>;

  /** What a released device is asked. */
  item(row: Readonly<Record<string, unknown>>): Item;

  /** What asks for approvals. */
  subject(tx: Tx, rollout: LockedRollout): Promise<Subject>;
  /** The first device is under way. */
  began(tx: Tx, rollout: LockedRollout): Promise<void>;
  /** No further device begins, for the reason of the rollout. */
  stopping(tx: Tx, rollout: LockedRollout): Promise<void>;
  /** It stands still. */
  rested(tx: Tx, rollout: LockedRollout): Promise<void>;
  /** All of its devices have ended. */
  ended(tx: Tx, rollout: LockedRollout): Promise<void>;
  /** A stop rule wants the changed devices brought back. */
  bringBack(tx: Tx, rollout: LockedRollout): Promise<void>;
}
