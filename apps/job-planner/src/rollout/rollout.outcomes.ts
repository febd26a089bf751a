import type { jobWork, RolloutRetry, WorkItem } from '@muster/contracts';
import type { Moved, Tx } from '@muster/journal';
import { retryPause } from '@muster/schedule';
import { Injectable } from '@nestjs/common';
import { isDeepStrictEqual } from 'node:util';
import { withDurations } from './durations.js';
import { Families } from './families.js';
import type { LockedRollout } from './locked-rollout.js';
import { inProgressSeconds } from './rollout.ask.js';
import { bringsBack } from './rollout.decide.js';
import { noteInWaves } from './rollout.waves.js';
import { recentWith } from './progress.js';
import { addTo, EMPTY_TALLY, ended, endOf, endsAs, STATE_OF, targeted, type DeviceEnd, type Tally } from './tally.js';
import { TargetStore, type Standing } from './target.store.js';

/** A part keeps the beginning of its command's reason; the whole of it stays with the command. */
const REASON_LENGTH = 512;

/** SQL over `t`: seconds from the release of a part to now. */
const TOOK = `CASE WHEN t.state = 'Running' THEN extract(epoch FROM clock_timestamp() - t.state_at) END`;

/** SQL over `t` and what {@link mayHaveChanged} gives: what any try did counts, whatever the last one came to. */
const SENT = 't.sent OR i.may_have_changed';

/** What the command of a device came to. */
export type Outcome = Pick<
  WorkItem<typeof jobWork.outcome>,
  'command_id' | 'ref' | 'status' | 'reason' | 'code' | 'sent' | 'proof' | 'shown'
>;

/** How a device ends. */
export interface End {
  ref: string;
  /** Null: whatever its command is. */
  command_id: string | null;
  end: DeviceEnd;
  reason: string;
  /** That of its command, where that decided the end. */
  code?: string;
  sent: boolean;
}

/** Applies what commands came to: devices end, go on to be proven, or are tried again. The rollout is locked. */
@Injectable()
export class RolloutOutcomes {
  constructor(
    private readonly targets: TargetStore,
    private readonly families: Families,
  ) {}

  async apply(tx: Tx, rollout: LockedRollout, outcomes: readonly Outcome[]): Promise<void> {
    const { spec } = rollout.row;
    let ends = outcomes.map((outcome): End & Outcome => ({
      ...outcome,
      end: endOf(outcome),
      reason: outcome.reason || outcome.code,
    }));
    ends = [...(await this.families.of(rollout.row).goOn(tx, rollout, ends))];
    const { evidence } = spec;
    if (evidence) {
      const [shown, unproven] = split(
        ends,
        ({ end, proof }) => end !== 'succeeded' || isDeepStrictEqual(proof, evidence.equals),
      );
      await this.awaitProof(tx, rollout, unproven);
      ends = shown;
    }
    if (spec.retry || spec.window) ends = await this.tryAgain(tx, rollout, ends);
    await this.end(tx, rollout, ends);
  }

  /** Ends devices whose command is the one named, and moves the counts by those that really did. */
  async end(tx: Tx, rollout: LockedRollout, ends: readonly End[]): Promise<void> {
    const family = this.families.of(rollout.row);
    const { table } = family;
    const hasWaves = rollout.row.waves.length > 0;
    const keepsSent = bringsBack(rollout.row.spec);
    const changes: Tally = { ...EMPTY_TALLY };
    for (const [end, some] of Map.groupBy(ends, (one) => one.end)) {
      const moved = await tx.transition(table.states, STATE_OF[end], {
        ids: some.map(({ ref }) => ref),
        // One that waits may have been sent all the same, when word of its device came late.
        from: ['Waiting', 'Running', 'Stopping'],
        set: { outcome: end },
        each: {
          reason: some.map(({ reason }) => reason.slice(0, REASON_LENGTH)),
        },
        given: {
          command: { type: 'uuid', values: some.map(({ command_id }) => command_id) },
          ...(keepsSent && mayHaveChanged(some)),
        },
        guard: '(i.command IS NULL OR t.command_id = i.command)',
        compute: { ...(end === 'succeeded' && { took: TOOK }), ...(keepsSent && { sent: SENT }) },
        returning: [
          'waits_for',
          ...(hasWaves ? (['place'] as const) : []),
          ...(end === 'succeeded' ? (['took'] as const) : []),
        ],
      });
      const words = new Map(some.map(({ ref, reason, code = '' }) => [ref, { reason, code }]));
      await family.finished(
        tx,
        rollout,
        moved.map(({ id }) => ({ id, end, ...words.get(id)! })),
      );
      addTo(changes, { ...endsAs(end, moved.length) });
      addTo(changes, leaving(moved));
      if (hasWaves) this.noteWaves(rollout, moved, end);
      if (end === 'succeeded' && moved.length > 0) {
        const took = moved.flatMap(({ row }) => (row['took'] === null ? [] : [row['took'] as number]));
        rollout.set({ durations: withDurations(rollout.row.durations, took) });
      }
    }
    rollout.count(changes);
    const count = ended(changes);
    if (count > 0)
      rollout.set({ recent: recentWith(rollout.row, count, rollout.now), recent_at: new Date(rollout.now) });
  }

  private noteWaves(rollout: LockedRollout, moved: readonly Moved[], end: DeviceEnd): void {
    const places = moved.map(({ row }) => row['place'] as number);
    const offline = moved.filter(isOffline).map(({ row }) => row['place'] as number);
    noteInWaves(rollout, offline, 'offline', -1);
    noteInWaves(rollout, places, end === 'succeeded' ? 'succeeded' : end === 'cancelled' ? 'left_out' : 'lost', 1);
  }

  private async awaitProof(tx: Tx, rollout: LockedRollout, unproven: readonly Outcome[]): Promise<void> {
    if (unproven.length === 0) return;
    const { table } = this.families.of(rollout.row);
    const standing = await this.targets.standing(tx, table, unproven);
    const isStopping = ({ ref }: Outcome) => standing.get(ref)?.state === 'Stopping';
    const [stopping, others] = split(unproven, isStopping);
    // Nobody waits for the proof of what is cancelled.
    const ends = stopping.map((one): End => ({ ...one, end: 'unknown', reason: 'cancelled before it was shown' }));
    await this.end(tx, rollout, ends);
    const noted = await this.targets.noteUnproven(
      tx,
      table,
      others.map(({ ref }) => ref).filter((ref) => standing.has(ref)),
      inProgressSeconds(rollout.row.spec),
    );
    if (noted > 0) rollout.set({ due_at: new Date(rollout.now) });
  }

  /** Of these ends, those that are: the others' devices wait for another try, or for their next window. */
  private async tryAgain(tx: Tx, rollout: LockedRollout, ends: readonly (End & Outcome)[]): Promise<(End & Outcome)[]> {
    const open = ends.filter(({ end }) => end !== 'succeeded' && end !== 'cancelled');
    if (open.length === 0) return [...ends];
    const family = this.families.of(rollout.row);
    const { table } = family;
    const standing = await this.targets.standing(tx, table, open);
    const again = new Map<string, Pick<End & Outcome, 'end' | 'reason' | 'code' | 'sent'> & { pause: number | null }>();
    const keepsSent = bringsBack(rollout.row.spec);
    let tried = 0;
    for (const one of open) {
      const part = standing.get(one.ref);
      if (!part || part.state === 'Stopping') continue;
      const pause = pauseOf(rollout, one, part, tried);
      if (pause === undefined) continue;
      if (pause !== null) tried++;
      again.set(one.ref, { pause, end: one.end, reason: one.reason, code: one.code, sent: one.sent });
    }
    // A device that an earlier try has reached was contacted.
    const over = ends
      .filter(({ ref }) => !again.has(ref))
      .map((one): End & Outcome => {
        const wasReached = one.end === 'never_contacted' && (standing.get(one.ref)?.attempts ?? 0) > 1;
        return wasReached ? { ...one, end: 'timed_out' } : one;
      });
    if (again.size === 0) return over;
    const ids = [...again.keys()];
    const moved = await tx.transition(table.states, 'Waiting', {
      ids,
      from: ['Running'],
      each: {
        reason: [...again.values()].map(({ reason }) => reason.slice(0, REASON_LENGTH)),
        waits_for: [...again.values()].map(({ pause }) => (pause === null ? '' : 'retry_at')),
        ask_at: [...again.values()].map(({ pause }) => (pause === null ? null : new Date(rollout.now + pause))),
        outcome: [...again].map(([ref, { pause, end }]) => (pause === null ? standing.get(ref)!.outcome : end)),
      },
      set: { command_id: null, asks: 0 },
      ...(keepsSent && { given: mayHaveChanged([...again.values()]) }),
      compute: {
        // A command that no device was sent was no try.
        attempts: `t.attempts - (i.waits_for = '')::integer`,
        // Another try has the whole time to reach the device.
        contact_by: `CASE WHEN i.waits_for = '' THEN t.contact_by END`,
        ...(keepsSent && { sent: SENT }),
      },
    });
    const held = ids.map((id) => standing.get(id)!).filter(({ state }) => state === 'Waiting');
    await this.targets.waitAnew(
      tx,
      table,
      held.map(({ id }) => id),
    );
    const parts = [...moved, ...held].map(({ id }) => ({ id, ...again.get(id)! }));
    await family.triedAgain(tx, rollout, parts);
    const offline = held.filter(({ waits_for }) => waits_for === 'offline');
    noteInWaves(
      rollout,
      offline.map(({ place }) => place),
      'offline',
      -1,
    );
    rollout.count({ pending: moved.length + offline.length, in_flight: -moved.length, offline: -offline.length });
    if (tried > 0) rollout.set({ retries: rollout.row.retries + tried });
    return over;
  }
}

/**
 * Milliseconds until the next try, null where it only waits for its next window, undefined where there is none.
 * @param more how many beside those that the rollout knows of are tried again
 */
function pauseOf(
  { row, now }: LockedRollout,
  one: End & Outcome,
  part: Standing,
  more: number,
): number | null | undefined {
  const { spec } = row;
  if (row.wish !== 'run' && row.wish !== 'pause') return undefined;
  if (one.end === 'never_contacted') return spec.window && now < (part.contact_by ?? 0) ? null : undefined;
  if (one.end === 'unknown') return undefined;
  const budget = spec.retry_budget_percent;
  if (budget !== undefined && (row.retries + more + 1) * 100 > budget * targeted(row)) return undefined;
  const failed = { outcome: one.end as RolloutRetry['outcome'], code: one.code, attempt: part.attempts };
  return retryPause(spec.retry ?? [], failed, Math.random());
}

/** Of these, which commands their devices were sent and did not refuse. */
const mayHaveChanged = (ends: readonly Pick<End, 'end' | 'sent'>[]) => ({
  may_have_changed: { type: 'boolean' as const, values: ends.map(({ end, sent }) => sent && end !== 'rejected') },
});

const split = <T>(all: readonly T[], isFirst: (one: T) => boolean): [T[], T[]] => [
  all.filter(isFirst),
  all.filter((one) => !isFirst(one)),
];

const isOffline = ({ from, row }: Moved): boolean => from === 'Waiting' && row['waits_for'] === 'offline';

/** Where the devices were that have moved. */
function leaving(moved: readonly Moved[]): Partial<Tally> {
  const offline = moved.filter(isOffline).length;
  const waiting = moved.filter(({ from }) => from === 'Waiting').length;
  return {
    offline: -offline,
    pending: offline - waiting,
    in_flight: waiting - moved.length,
    stopping: -moved.filter(({ from }) => from === 'Stopping').length,
  };
}
