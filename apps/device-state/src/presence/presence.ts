import { commandWork, type DocumentFault, type JsonObject } from '@muster/contracts';
import { Journal } from '@muster/journal';
import { Drops } from '@muster/service';
import { Injectable } from '@nestjs/common';
import { convergenceAfter, type Convergence } from '../drift/drift.decide.js';
import { DriftWatch } from '../drift/drift.watch.js';
import { DeviceOperationProof } from '../device-operations/device-operation.proof.js';
import { shownBy } from '../device-operations/device-operation.shown.js';
import { PresenceStore, type Change, type FoundDevice } from './presence.store.js';
import { mergeReported, newerThan, type Sender, type Sign, type StateChannel } from './sign.js';

/** The channels on which a device shows that it lives. */
export type SignChannel = StateChannel | 'heartbeat';

type DropReason = 'out_of_date' | `reported_${DocumentFault}`;

/** Turns signs of life into presence and reported state. */
@Injectable()
export class Presence {
  constructor(
    private readonly journal: Journal,
    private readonly store: PresenceStore,
    private readonly drops: Drops,
    private readonly drift: DriftWatch,
    private readonly proof: DeviceOperationProof,
  ) {}

  /**
   * Records the signs of one project's devices, at most one a device. Those that come online are told to command-dispatcher; after a hello
   * all are that live, for it asks for what waits. A sign that waited in the stream for longer than the silence is no sign of life any more:
   * what it says is kept, its device stays as it is.
   */
  async record(channel: SignChannel, project: string, signs: readonly Sign[]): Promise<void> {
    const left = await this.attempt('read', channel, project, signs);
    // In a transaction of its own: rows locked after others were written are not in the order of their keys.
    if (left.length > 0) await this.attempt('lock', channel, project, left);
    const reporting = signs.filter(({ statements }) => statements.some(({ patch }) => patch));
    if (reporting.length > 0)
      await this.proof.onReports(
        project,
        reporting.map(({ device_id }) => device_id),
      );
  }

  /**
   * Nearly every device that speaks is online and nobody else changes it, so to lock its row first would be a write for nothing.
   * @returns the signs that need the lock: of devices that come online, and of those that changed after they were read.
   */
  private attempt(
    look: 'read' | 'lock',
    channel: SignChannel,
    project: string,
    signs: readonly Sign[],
  ): Promise<Sign[]> {
    return this.journal.transaction(project, async (tx) => {
      const found = await this.store[look](tx, signs);
      const rows = new Map(found.map((row) => [row.id, row]));
      const arriving: Change[] = [];
      const staying: Change[] = [];
      const left = new Map<string, Sign>();
      const drops = new Map<string, DropReason[]>();
      for (const sign of signs) {
        const id = sign.device_id;
        const row = rows.get(id);
        if (!row) {
          tx.afterCommit(() => this.dropUnknown(channel, { project_id: project, device_id: id }));
          continue;
        }
        const { change, dropped } = changeOf(channel, row, sign);
        drops.set(id, dropped);
        if (!change) continue;
        const arrives = row.state !== 'ONLINE' && row.alive;
        if (look === 'read') left.set(id, sign);
        if (!arrives) staying.push(change);
        else if (look === 'lock') arriving.push(change);
      }
      const moved = await this.store.comeOnline(tx, arriving);
      const noted = await this.store.note(tx, staying);
      for (const id of noted) left.delete(id);
      const applied = new Set([...moved.map(({ id }) => id), ...noted]);
      await this.drift.follow(
        tx,
        [...arriving, ...staying].filter(({ id }) => applied.has(id)),
      );
      for (const [device_id, reasons] of drops) {
        if (left.has(device_id)) continue;
        for (const reason of reasons)
          tx.afterCommit(() => this.drops.count(channel, reason, { project_id: project, device_id }));
      }
      const greeted = channel === 'hello' ? noted.map((id) => rows.get(id)!).filter(({ alive }) => alive) : [];
      const told = [...moved, ...greeted];
      tx.work(
        commandWork.presence,
        {},
        told.map(({ id, version }) => ({ device_id: id, online: true, version })),
      );
      return [...left.values()];
    });
  }

  dropUnknown(channel: SignChannel, sender: Sender): void {
    this.drops.count(channel, 'unknown_device', { ...sender });
  }
}

/** What a sign changes, if anything, and why some of it was dropped. */
function changeOf(channel: SignChannel, row: FoundDevice, sign: Sign): { change?: Change; dropped: DropReason[] } {
  const fresh = channel === 'heartbeat' ? sign.statements : newerThan(row.applied[channel], sign.statements);
  const outOfDate = Array.from({ length: sign.statements.length - fresh.length }, () => 'out_of_date' as const);
  const last = fresh.at(-1);
  if (!last) return { dropped: outOfDate };
  const before: JsonObject = row.reported ?? {};
  let reported = before;
  let convergence: Convergence | null = null;
  const shown = new Set<string>();
  const faults: DocumentFault[] = [];
  // One by one: what a device had between two of its reports it had, also where they are read together.
  for (const statement of fresh) {
    if (!statement.patch) continue;
    const merged = mergeReported(reported, statement.patch);
    if (merged.fault) faults.push(merged.fault);
    else {
      reported = merged.reported;
      if (row.desired) convergence = convergenceAfter(convergence ?? row, row.desired, reported);
      for (const id of shownBy(row.asked ?? [], row.desired, reported, statement.at)) shown.add(id);
    }
  }
  const { at, sequence, agent } = last;
  const change = {
    id: row.id,
    at,
    applied: channel === 'heartbeat' ? row.applied : { ...row.applied, [channel]: { at, sequence } },
    agent,
    reported: reported === before ? null : reported,
    convergence,
    shown: shown.size > 0 ? [...shown] : null,
    seen: row,
  };
  return { change, dropped: [...outOfDate, ...faults.map((fault) => `reported_${fault}` as const)] };
}
