import type { JsonObject } from '@muster/contracts';
import { Journal, type Tx } from '@muster/journal';
import { inSpan, traceContext } from '@muster/messaging';
import type { RunnerKey } from '@muster/service';
import { Injectable } from '@nestjs/common';
import { SpanKind } from '@opentelemetry/api';
import { isDeepStrictEqual } from 'node:util';
import { DataSource } from 'typeorm';
import { Approvals } from '../approvals/approvals.js';
import { Families } from './families.js';
import type { LockedRollout } from './locked-rollout.js';
import { passesOf } from './passes.js';
import { bringsBack, nextStep, type RolloutFacts, type RolloutStep, type Wait } from './rollout.decide.js';
import { RolloutEntity } from './rollout.entity.js';
import { RolloutPlan } from './rollout.plan.js';
import { RolloutRelease } from './rollout.release.js';
import { RolloutStop } from './rollout.stop.js';
import { RolloutStore } from './rollout.store.js';
import { changeWave } from './rollout.waves.js';
import { openZones, windowsOf } from './rollout.windows.js';
import { drain, want } from './rollout.wish.js';
import { ruleInWords } from './stop.rules.js';
import { TargetStore } from './target.store.js';

/** How often it is looked whether devices have shown their success by now. */
const PROOF_MS = 2_000;

/** What a look at a rollout has found out that the next one is to know. */
interface Found {
  /** Nothing may begin now. */
  exhausted: boolean;
  /** Devices of which it has to be known what they have, before they are changed; and then that. */
  candidates?: readonly string[];
  before?: ReadonlyMap<string, JsonObject>;
}

/** Carries out the steps of a rollout, each in a transaction of its own that holds its lock. */
@Injectable()
export class RolloutAdvance {
  constructor(
    private readonly dataSource: DataSource,
    private readonly journal: Journal,
    private readonly rollouts: RolloutStore,
    private readonly targets: TargetStore,
    private readonly families: Families,
    private readonly plan: RolloutPlan,
    private readonly release: RolloutRelease,
    private readonly stop: RolloutStop,
    private readonly approvals: Approvals,
  ) {}

  /** Takes steps until the rollout has to wait for others, or for a time. */
  async advance({ project_id, id }: RunnerKey): Promise<void> {
    const rollout = await this.dataSource
      .getRepository(RolloutEntity)
      .findOne({ where: { project_id, id }, select: { project_id: true, id: true, traceparent: true } });
    if (!rollout) return;
    await inSpan('rollout advance', SpanKind.INTERNAL, traceContext(rollout.traceparent), async () => {
      const found: Found = { exhausted: false };
      for (;;) {
        const step = await this.step(project_id, id, found);
        if (!step || step.do === 'wait') return;
        if (step.do === 'plan') {
          if (!(await this.plan.nextPage(project_id, id))) return;
          // There may be some among the new ones that can begin.
          found.exhausted = false;
        }
        if (step.do === 'release') await this.look(project_id, id, found);
      }
    });
  }

  /** What is to be known of devices before they are changed; asked without any lock. */
  private async look(project_id: string, id: string, found: Found): Promise<void> {
    if (!found.candidates) return;
    const rollout = await this.dataSource.getRepository(RolloutEntity).findOneByOrFail({ project_id, id });
    found.before = await this.families.of(rollout).before(rollout, found.candidates);
    delete found.candidates;
  }

  /** One step under the rollout's lock; planning alone is left to the caller. */
  private step(project_id: string, id: string, found: Found): Promise<RolloutStep | undefined> {
    return this.journal.transaction(project_id, async (tx) => {
      const rollout = await this.rollouts.lock(tx, id);
      if (!rollout) return undefined;
      const at_once = this.families.of(rollout.row).partsAtOnce(rollout.row);
      const facts = factsOf(rollout, at_once, found.exhausted);
      const step = nextStep(facts);
      if (step.do === 'wait') await this.wait(tx, rollout, step, facts);
      else await this.take(tx, rollout, step, found);
      await rollout.save(tx);
      return step;
    });
  }

  private async take(tx: Tx, rollout: LockedRollout, step: Exclude<RolloutStep, Wait>, found: Found): Promise<void> {
    const family = this.families.of(rollout.row);
    switch (step.do) {
      case 'plan':
        return;
      case 'rescan':
        rollout.set({ planned: false, plan_cursor: '', pass: passesOf(rollout.row.spec).length - 1 });
        rollout.set({ rescan_at: new Date(rollout.now) });
        return;
      case 'reopen':
        return this.stop.reopen(tx, rollout);
      case 'release': {
        if (bringsBack(rollout.row.spec) && !found.before) {
          found.candidates = await this.release.next(tx, rollout, step.count);
          found.exhausted = found.candidates.length === 0;
          return;
        }
        found.exhausted = (await this.release.release(tx, rollout, step, found.before)) === 0;
        delete found.before;
        return;
      }
      case 'ask_approval':
        changeWave(rollout, { asked_at: rollout.now });
        return this.approvals.ask(tx, await family.subject(tx, rollout), rollout.row.wave + 1);
      case 'begin_wave':
        return changeWave(rollout, { began_at: rollout.now });
      case 'pass_wave':
        return changeWave(rollout, { passed_at: rollout.now });
      case 'next_wave':
        return rollout.set({ wave: rollout.row.wave + 1 });
      case 'stop': {
        const rule = rollout.row.spec.abort![step.rule]!;
        const reason = `stop rule ${step.rule + 1}: ${ruleInWords(rule)}`;
        drain(rollout, rule.action, reason);
        await family.stopping(tx, rollout);
        if (rule.action === 'rollback') await family.bringBack(tx, rollout);
        return;
      }
      case 'pause':
        drain(rollout, family.canPause ? 'pause' : 'cancel', step.reason);
        return family.stopping(tx, rollout);
      case 'expire':
        return this.stop.expire(tx, rollout);
      case 'stop_pending':
        return this.stop.stopPending(tx, rollout);
      case 'stop_in_flight':
        return this.stop.stopInFlight(tx, rollout);
      case 'rest':
        this.rest(rollout, step.until);
        if (rollout.row.wish !== 'pause') await this.approvals.withdraw(tx, rollout.id);
        return family.rested(tx, rollout);
      case 'run_out':
        want(rollout, 'run', '');
        return family.goesOn(tx, rollout);
      case 'end':
        this.rest(rollout, null);
        if (rollout.row.waves.length > 0) await this.approvals.withdraw(tx, rollout.id);
        return family.ended(tx, rollout);
    }
  }

  private rest(rollout: LockedRollout, until: number | null): void {
    rollout.set({ at_rest: true, rested_at: new Date(rollout.now) });
    this.stayUntil(rollout, until);
  }

  private stayUntil(rollout: LockedRollout, until: number | null): void {
    const due_at = until === null ? null : new Date(until);
    rollout.set({ due_at, waits_until: due_at });
  }

  private async wait(
    tx: Tx,
    rollout: LockedRollout,
    { for: reason, until, look }: Wait,
    { exhausted, windows }: RolloutFacts,
  ): Promise<void> {
    const { row } = rollout;
    // Whoever looks at it has moved the time by a claim.
    if (row.at_rest) return this.stayUntil(rollout, until);
    const { table } = this.families.of(row);
    const retry = exhausted ? await this.targets.nextRetry(tx, table, row.id, openZones(row.spec, windows)) : null;
    const proof = row.spec.evidence && row.in_flight > 0 ? rollout.now + PROOF_MS : null;
    const goesOn = Math.min(until ?? Infinity, retry ?? Infinity);
    const next = Math.min(goesOn, look ?? Infinity, proof ?? Infinity);
    // The window is open somewhere, and a pause between two tries ends before it opens elsewhere.
    const rests = reason === 'window' && retry !== null && retry > rollout.now && goesOn === retry;
    rollout.set({ waits_for: rests ? 'retry_at' : reason });
    if ((row.waits_until?.getTime() ?? Infinity) !== goesOn)
      rollout.set({ waits_until: goesOn === Infinity ? null : new Date(goesOn) });
    if (!isDeepStrictEqual(row.zone_windows, windows.zones)) rollout.set({ zone_windows: windows.zones });
    if (next < (row.due_at?.getTime() ?? Infinity)) rollout.set({ due_at: new Date(next) });
  }
}

/** What the next step depends on. */
const factsOf = ({ row, now }: LockedRollout, at_once: number, exhausted: boolean): RolloutFacts => ({
  ...row,
  at_once,
  paid_until: row.paid_until?.getTime() ?? null,
  rescan_at: row.rescan_at?.getTime() ?? null,
  windows: windowsOf(row, now),
  exhausted,
  now,
});
