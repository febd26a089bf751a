import { BATCH_SIZE, deviceState, type Rollout } from '@muster/contracts';
import { Journal, type Tx } from '@muster/journal';
import { RpcClient } from '@muster/messaging';
import type { RunnerKey } from '@muster/service';
import { Injectable } from '@nestjs/common';
import { isDeepStrictEqual } from 'node:util';
import { Families } from './families.js';
import { cancel, request } from './rollout.ask.js';
import { RolloutHolds } from './rollout.holds.js';
import { RolloutOutcomes, type End } from './rollout.outcomes.js';
import { RolloutStore } from './rollout.store.js';
import { TargetStore, type Askable } from './target.store.js';
import type { TargetTable } from './target.table.js';

type Claimed = (Askable & Record<string, unknown>)[];

/**
 * Asks again where word is missing: for the commands of devices that have been under way for long, or for their cancel, for the presence of
 * offline devices and the commands of those that are still away, and for the reports of devices that have yet to show that they succeeded. Asking
 * for a command twice changes nothing, and for one that has ended the outcome comes again: so a work batch that the bus lost, either way, costs
 * time and never a hang.
 */
@Injectable()
export class RolloutReconcile {
  constructor(
    private readonly journal: Journal,
    private readonly rpc: RpcClient,
    private readonly rollouts: RolloutStore,
    private readonly targets: TargetStore,
    private readonly families: Families,
    private readonly holds: RolloutHolds,
    private readonly outcomes: RolloutOutcomes,
  ) {}

  async askAgain(key: RunnerKey): Promise<void> {
    while (await this.askForCommands(key));
    while (await this.askForPresence(key));
    while (await this.askForProof(key));
  }

  /** @returns whether there may be more. */
  private async askForCommands({ project_id, id }: RunnerKey): Promise<boolean> {
    return this.journal.transaction(project_id, async (tx) => {
      const rollout = await this.rollouts.lock(tx, id);
      if (!rollout || rollout.row.in_flight === 0) return false;
      const family = this.families.of(rollout.row);
      const silent = await this.targets.claimSilent(tx, family.table, id);
      const running = silent.filter((part) => part.state === 'Running');
      request(tx, rollout, family, running);
      cancel(
        tx,
        rollout,
        family,
        silent.filter((part) => part.state === 'Stopping'),
      );
      return silent.length === BATCH_SIZE;
    });
  }

  /** Heals a word that was lost of a device that is back, or of the end of a command whose device stays away. */
  private async askForPresence(key: RunnerKey): Promise<boolean> {
    const [offline] = await this.claim(key, 'offline', (tx, table) => this.targets.claimOffline(tx, table, key.id));
    if (offline.length === 0) return false;
    const ids = [...new Set(offline.map(({ device_id }) => device_id))];
    const { devices } = await this.rpc.call(deviceState.presence, { project_id: key.project_id, ids });
    const online = new Set(devices.filter((device) => device.online).map((device) => device.id));
    const isBack = ({ device_id }: Askable) => online.has(device_id);
    await this.journal.transaction(key.project_id, async (tx) => {
      const rollout = await this.rollouts.lock(tx, key.id);
      if (!rollout) return;
      await this.holds.goOn(
        tx,
        rollout,
        offline.filter(isBack).map(({ id, command_id, releases }) => ({ ref: id, command_id, turn: releases })),
      );
      // Under the same turn: what is held stays held, and what has ended says so again.
      const away = offline.filter((part) => !isBack(part));
      request(tx, rollout, this.families.of(rollout.row), away);
      await rollout.save(tx);
    });
    return offline.length === BATCH_SIZE;
  }

  /** A device has shown its success once its report has what the rollout asks for; what nobody knows by its deadline is unknown. */
  private async askForProof(key: RunnerKey): Promise<boolean> {
    const { project_id } = key;
    const [claimed, spec] = await this.claim(key, 'in_flight', (tx, table) =>
      this.targets.claimUnproven(tx, table, key.id),
    );
    if (claimed.length === 0) return false;
    const { path, equals } = spec!.evidence!;
    const ids = [...new Set(claimed.map(({ device_id }) => device_id))];
    const { devices } = await this.rpc.call(deviceState.reportedAt, { project_id, ids, path });
    const reported = new Map(devices.map((device) => [device.id, device.value]));
    await this.journal.transaction(project_id, async (tx) => {
      const rollout = await this.rollouts.lock(tx, key.id);
      if (!rollout) return;
      const ends = claimed.flatMap((part): End[] => {
        const end = { ref: part.id, command_id: part.command_id, sent: true };
        if (isDeepStrictEqual(reported.get(part.device_id), equals)) return [{ ...end, end: 'succeeded', reason: '' }];
        if (rollout.now < (part['proof_by'] as number)) return [];
        return [{ ...end, end: 'unknown', reason: `no report showed ${path} as asked for` }];
      });
      await this.outcomes.end(tx, rollout, ends);
      await rollout.save(tx);
    });
    return claimed.length === BATCH_SIZE;
  }

  /** Claims parts of a rollout that has some `where`. */
  private claim(
    { project_id, id }: RunnerKey,
    where: 'offline' | 'in_flight',
    claim: (tx: Tx, table: TargetTable) => Promise<Claimed>,
  ): Promise<[Claimed, Rollout?]> {
    return this.journal.transaction(project_id, async (tx) => {
      const rollout = await this.rollouts.lock(tx, id);
      if (!rollout || rollout.row[where] === 0) return [[]];
      return [await claim(tx, this.families.of(rollout.row).table), rollout.row.spec];
    });
  }
}
