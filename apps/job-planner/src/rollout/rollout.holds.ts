import type { Tx } from '@muster/journal';
import { Injectable } from '@nestjs/common';
import { Families } from './families.js';
import type { Step } from './family.js';
import type { LockedRollout } from './locked-rollout.js';
import { cancel, underWay } from './rollout.ask.js';
import { noteInWaves } from './rollout.waves.js';
import { FIRST_ASK_AT, TargetStore, type Back } from './target.store.js';

const SKIPPED = 'skipped: the device is offline';

/** Takes in that the commands of devices are held, because they are offline, and that they are back. The rollout is locked. */
@Injectable()
export class RolloutHolds {
  constructor(
    private readonly targets: TargetStore,
    private readonly families: Families,
  ) {}

  async apply(tx: Tx, rollout: LockedRollout, steps: readonly Step[]): Promise<void> {
    // Of what came in one batch for one command the last word counts.
    const last = [...new Map(steps.map((step) => [step.command_id, step])).values()];
    await this.families.of(rollout.row).stepped(tx, rollout, steps);
    await this.hold(
      tx,
      rollout,
      last.filter(({ step }) => step === 'HELD'),
    );
    await this.goOn(
      tx,
      rollout,
      last.filter(({ step }) => step === 'REACHABLE'),
    );
  }

  /** Their slots are free: they wait for their devices, or are passed over. */
  private async hold(tx: Tx, rollout: LockedRollout, held: readonly Step[]): Promise<void> {
    if (held.length === 0) return;
    const family = this.families.of(rollout.row);
    const { table } = family;
    const skips = rollout.row.spec.offline === 'skip';
    const moved = await tx.transition(table.states, skips ? 'Stopped' : 'Waiting', {
      ids: held.map(({ ref }) => ref),
      from: ['Running'],
      given: {
        command: { type: 'uuid', values: held.map(({ command_id }) => command_id) },
        turn: { type: 'integer', values: held.map(({ turn }) => turn) },
      },
      // What came late speaks of an earlier release: the command may have been sent since.
      guard: `t.command_id = i.command AND t.releases = i.turn AND t.waits_for = ''`,
      set: skips
        ? { reason: SKIPPED, outcome: 'cancelled' }
        : { reason: 'the device is offline', waits_for: 'offline', asks: 0 },
      ...(!skips && { compute: { ask_at: FIRST_ASK_AT } }),
      returning: ['place', 'command_id', ...table.item],
    });
    const places = moved.map(({ row }) => row['place'] as number);
    rollout.count({ in_flight: -moved.length, [skips ? 'cancelled' : 'offline']: moved.length });
    noteInWaves(rollout, places, skips ? 'left_out' : 'offline', 1);
    if (!skips) {
      if (moved.length > 0) rollout.set({ held_at: new Date(rollout.now) });
      return;
    }
    cancel(tx, rollout, family, moved.map(underWay), { reason: SKIPPED });
    await family.finished(
      tx,
      rollout,
      moved.map(({ id }) => ({ id, end: 'cancelled', reason: SKIPPED })),
    );
  }

  /** They are next to begin, as far as there are slots. */
  async goOn(tx: Tx, rollout: LockedRollout, back: readonly Back[]): Promise<void> {
    if (back.length === 0) return;
    const places = await this.targets.noteReachable(tx, this.families.of(rollout.row).table, back);
    rollout.count({ offline: -places.length, pending: places.length });
    noteInWaves(rollout, places, 'offline', -1);
  }
}
