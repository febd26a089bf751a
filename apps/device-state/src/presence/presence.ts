import { commandWork, type JsonObject } from '@muster/contracts';
import { Journal } from '@muster/journal';
import { Drops } from '@muster/service';
import { Injectable } from '@nestjs/common';
import type { DocumentFault } from '../devices/document.limits.js';
import { PresenceStore, type Change, type LockedDevice } from './presence.store.js';
import { mergeReported, type Sender, type Sign } from './sign.js';

/** The channels on which a device shows that it lives. */
export type SignChannel = 'hello' | 'heartbeat' | 'report';

/** Turns signs of life into presence and reported state. */
@Injectable()
export class Presence {
  constructor(
    private readonly journal: Journal,
    private readonly store: PresenceStore,
    private readonly drops: Drops,
  ) {}

  /**
   * Records the signs of one project's devices, at most one a device, in one transaction. Those that come online are told to
   * command-dispatcher; after a hello all are, for it asks for what waits.
   */
  async record(channel: SignChannel, project: string, signs: readonly Sign[]): Promise<void> {
    await this.journal.transaction(project, async (tx) => {
      const locked = await this.store.lock(
        tx,
        signs.map(({ device_id }) => device_id),
        signs.filter(({ patches }) => patches.length > 0).map(({ device_id }) => device_id),
      );
      const rows = new Map(locked.map((row) => [row.id, row]));
      const arriving: Change[] = [];
      const present: Change[] = [];
      for (const sign of signs) {
        const row = rows.get(sign.device_id);
        const sender = { project_id: project, device_id: sign.device_id };
        if (!row) {
          tx.afterCommit(() => this.dropUnknown(channel, sender));
          continue;
        }
        const { change, faults } = changeOf(row, sign);
        for (const fault of faults) tx.afterCommit(() => this.dropReported(channel, fault, sender));
        (row.state === 'ONLINE' ? present : arriving).push(change);
      }
      const moved = await this.store.comeOnline(tx, arriving);
      await this.store.stayOnline(tx, present);
      const told = [...moved, ...(channel === 'hello' ? present.map(({ id }) => rows.get(id)!) : [])];
      tx.work(
        commandWork.presence,
        {},
        told.map(({ id, version }) => ({ device_id: id, online: true, version })),
      );
    });
  }

  dropUnknown(channel: SignChannel, sender: Sender): void {
    this.drops.count(channel, 'unknown_device', { ...sender });
  }

  private dropReported(channel: SignChannel, fault: DocumentFault, sender: Sender): void {
    this.drops.count(channel, `reported_${fault}`, { ...sender });
  }
}

function changeOf(row: LockedDevice, sign: Sign): { change: Change; faults: DocumentFault[] } {
  const before: JsonObject = row.reported ?? {};
  const { reported, faults } = mergeReported(before, sign.patches);
  return { change: { id: row.id, agent: sign.agent, reported: reported === before ? null : reported }, faults };
}
