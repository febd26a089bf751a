import { commandWork, type JsonObject } from '@muster/contracts';
import { Journal } from '@muster/journal';
import { Drops } from '@muster/service';
import { Injectable } from '@nestjs/common';
import type { DocumentFault } from '../devices/document.limits.js';
import { PresenceStore, type Change, type LockedDevice } from './presence.store.js';
import { mergeReported, newerThan, type Sender, type Sign, type StateChannel } from './sign.js';

/** The channels on which a device shows that it lives. */
export type SignChannel = StateChannel | 'heartbeat';

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
   * command-dispatcher; after a hello all are that live, for it asks for what waits. A sign that waited in the stream for longer than the
   * silence is no sign of life any more: what it says is kept, its device stays as it is.
   */
  async record(channel: SignChannel, project: string, signs: readonly Sign[]): Promise<void> {
    await this.journal.transaction(project, async (tx) => {
      const locked = await this.store.lock(tx, signs);
      const rows = new Map(locked.map((row) => [row.id, row]));
      const arriving: Change[] = [];
      const staying: Change[] = [];
      for (const sign of signs) {
        const row = rows.get(sign.device_id);
        const sender = { project_id: project, device_id: sign.device_id };
        if (!row) {
          tx.afterCommit(() => this.dropUnknown(channel, sender));
          continue;
        }
        const { change, dropped } = changeOf(channel, row, sign);
        for (const reason of dropped) tx.afterCommit(() => this.drops.count(channel, reason, { ...sender }));
        if (change) (row.state !== 'ONLINE' && row.alive ? arriving : staying).push(change);
      }
      const moved = await this.store.comeOnline(tx, arriving);
      await this.store.note(tx, staying);
      const greeted = channel === 'hello' ? staying.map(({ id }) => rows.get(id)!).filter(({ alive }) => alive) : [];
      const told = [...moved, ...greeted];
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
}

/** What a sign changes, if anything, and why some of it was dropped. */
function changeOf(
  channel: SignChannel,
  row: LockedDevice,
  sign: Sign,
): { change?: Change; dropped: ('out_of_date' | `reported_${DocumentFault}`)[] } {
  const fresh = channel === 'heartbeat' ? sign.statements : newerThan(row.applied[channel], sign.statements);
  const outOfDate = Array.from({ length: sign.statements.length - fresh.length }, () => 'out_of_date' as const);
  const last = fresh.at(-1);
  if (!last) return { dropped: outOfDate };
  const before: JsonObject = row.reported ?? {};
  const patches = fresh.flatMap(({ patch }) => (patch ? [patch] : []));
  const { reported, faults } = mergeReported(before, patches);
  const { at, sequence, agent } = last;
  const change = {
    id: row.id,
    at,
    applied: channel === 'heartbeat' ? row.applied : { ...row.applied, [channel]: { at, sequence } },
    agent,
    reported: reported === before ? null : reported,
  };
  return { change, dropped: [...outOfDate, ...faults.map((fault) => `reported_${fault}` as const)] };
}
