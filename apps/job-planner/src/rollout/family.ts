import type { commandWork, jobWork, JsonObject, WorkItem } from '@muster/contracts';
import type { Created, Tx } from '@muster/journal';
import type { Subject } from '../approvals/approvals.js';
import type { LockedRollout } from './locked-rollout.js';
import type { UnderWay } from './rollout.ask.js';
import type { RolloutEntity, RolloutFamilyName } from './rollout.entity.js';
import type { End, Outcome } from './rollout.outcomes.js';
import type { DeviceEnd } from './tally.js';
import type { TargetTable } from './target.table.js';

/** A device that gets its part in a rollout. */
export interface NewTarget {
  /** The id of its part, where others know it by one. */
  id?: string;
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

/** What a part's device is told. The parts that are told the same share one request. */
export interface Ask {
  request_id: string;
  command: string;
  /** What all of them are told. */
  args: JsonObject;
  /** What this one is told beside it. */
  own: JsonObject;
}

/** A row of a family's table, with the columns of `table.item`; that of one that was just made with its `timezone`, too. */
export type Part = Readonly<Record<string, unknown>>;

/** A part that has ended, or a try of it. */
export interface EndedPart {
  id: string;
  end: DeviceEnd;
  reason: string;
  /** That of its command, where that decided the end. */
  code?: string;
}

/** What command-dispatcher says of a command before its end. */
export type Step = WorkItem<typeof jobWork.step>;

/** What is rolled out: says which devices there are, what each is asked, and what the rollout means for its own state. */
export interface Family {
  readonly name: RolloutFamilyName;
  readonly table: TargetTable;

  /** The page of devices after `rollout.plan_cursor` of its pass; undefined while they cannot be told yet. Asked without any lock. */
  page(rollout: RolloutEntity): Promise<TargetPage | undefined>;

  /** What the devices with these parts have, to be brought back to; those left out are not known. Asked without any lock. */
  before(rollout: RolloutEntity, ids: readonly string[]): Promise<ReadonlyMap<string, JsonObject>>;

  /** Whom its devices' commands are asked of. */
  readonly work: { request: typeof commandWork.request; cancel: typeof commandWork.cancel };
  /** It may stand still until somebody lets it go on; what cannot is cancelled instead. */
  readonly canPause: boolean;
  /** A device may come up twice while the devices are planned. */
  readonly repeats: boolean;
  /** It hears of each step of its commands. */
  readonly hearsSteps: boolean;

  /** How many parts a step may take, a batch at most: fewer where the end of a part moves many rows. */
  partsAtOnce(rollout: RolloutEntity): number;

  /** What the device of a part is told. */
  ask(rollout: RolloutEntity, part: Part): Ask;
  /** These parts were made. */
  placed(tx: Tx, rollout: LockedRollout, parts: readonly Created[]): Promise<void>;
  /** These parts were released. */
  released(tx: Tx, rollout: LockedRollout, parts: readonly UnderWay[]): Promise<void>;
  /** Steps of commands that are under way. */
  stepped(tx: Tx, rollout: LockedRollout, steps: readonly Step[]): Promise<void>;
  /** Of what commands came to, what ends its part; with the others the part goes on. */
  goOn(tx: Tx, rollout: LockedRollout, ends: readonly (End & Outcome)[]): Promise<readonly (End & Outcome)[]>;
  /** The commands of these parts came to this, and they wait for another try, or for their next window. */
  triedAgain(tx: Tx, rollout: LockedRollout, parts: readonly EndedPart[]): Promise<void>;
  /** These parts have ended. */
  finished(tx: Tx, rollout: LockedRollout, parts: readonly EndedPart[]): Promise<void>;

  /** What asks for approvals. */
  subject(tx: Tx, rollout: LockedRollout): Promise<Subject>;
  /** The first device is under way. */
  began(tx: Tx, rollout: LockedRollout): Promise<void>;
  /** No further device begins, for the reason of the rollout. */
  stopping(tx: Tx, rollout: LockedRollout): Promise<void>;
  /** It goes on that was paused, because its end has come. */
  goesOn(tx: Tx, rollout: LockedRollout): Promise<void>;
  /** It stands still. */
  rested(tx: Tx, rollout: LockedRollout): Promise<void>;
  /** All of its devices have ended. */
  ended(tx: Tx, rollout: LockedRollout): Promise<void>;
  /** A stop rule wants the changed devices brought back. */
  bringBack(tx: Tx, rollout: LockedRollout): Promise<void>;
}
