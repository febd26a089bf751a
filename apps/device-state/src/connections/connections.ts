import { BATCH_SIZE, commandWork } from '@muster/contracts';
import { Journal } from '@muster/journal';
import { isTransient } from '@muster/persistence';
import { Injectable } from '@nestjs/common';
import { PresenceStore } from '../presence/presence.store.js';
import { byProject } from '../presence/sign.js';
import { oneWordEach, type Word } from './advisory.js';
import { ConnectionStore } from './connection.store.js';

/**
 * Turns what the bus says of connections into presence: a device whose last connection ended is offline at once. A beginning brings nobody online,
 * since the hello that follows does, and asks for what waits; it is a sign of life of those that are.
 */
@Injectable()
export class Connections {
  constructor(
    private readonly journal: Journal,
    private readonly store: ConnectionStore,
    private readonly presence: PresenceStore,
  ) {}

  /** Words may come late, twice, in any order, or not at all. */
  async record(words: readonly Word[]): Promise<void> {
    for (const [project, devices] of byProject(words)) {
      const ofProject = oneWordEach([...devices.values()].flat());
      // Heartbeats lock the same devices, in an order of their own.
      await this.recordOf(project, ofProject).catch((error: unknown) => {
        if (!isTransient(error)) throw error;
        return this.recordOf(project, ofProject);
      });
    }
  }

  /** Removes what waits for a word that will not come; says whether there may be more. */
  async sweep(): Promise<boolean> {
    return (await this.store.forgetEnds(BATCH_SIZE)) === BATCH_SIZE;
  }

  private recordOf(project: string, words: readonly Word[]): Promise<void> {
    return this.journal.transaction(project, async (tx) => {
      const known = await this.store.lockDevices(tx, [...new Set(words.map(({ device_id }) => device_id))]);
      const ofKnown = words.filter(({ device_id }) => known.has(device_id));
      if (ofKnown.length === 0) return;
      await this.store.note(tx, ofKnown);
      await this.store.removeOfServersBefore(tx, ofKnown);
      await this.store.touch(tx, ofKnown);
      const left = await this.store.removeEnded(tx, [...known]);
      const silent = [...(await this.store.silentSince(tx, left)), ...(await this.store.leftUnheard(tx, ofKnown))];
      const gone = await this.presence.goOffline(tx, [...new Set(silent)], 'disconnected');
      tx.work(
        commandWork.presence,
        {},
        gone.map(({ id, version }) => ({ device_id: id, online: false, version })),
      );
    });
  }
}
