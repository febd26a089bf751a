import type { Tx } from '@muster/journal';
import { Injectable } from '@nestjs/common';
import type { Convergence } from './drift.decide.js';
import { DriftStore, type Lost } from './drift.store.js';

/** A device whose new reported state was written. `seen`: as it was before; `convergence`: what it is now, if that was asked. */
export interface WrittenDevice {
  id: string;
  convergence: Convergence | null;
  seen: { drifted: boolean };
}

/** Opens and resolves drifts, in the transaction that writes what devices report. */
@Injectable()
export class DriftWatch {
  constructor(private readonly store: DriftStore) {}

  /** Costs no statement unless a device drifts, has drifted, or is back. */
  async follow(tx: Tx, devices: readonly WrittenDevice[]): Promise<void> {
    const opened: Lost[] = [];
    const renewed: Lost[] = [];
    const resolved: string[] = [];
    for (const { id, convergence, seen } of devices) {
      if (convergence?.drifted) (seen.drifted ? renewed : opened).push({ device_id: id, paths: convergence.paths });
      else if (convergence && seen.drifted) resolved.push(id);
    }
    await this.store.open(tx, opened);
    await this.store.renew(tx, renewed);
    await this.store.resolve(tx, resolved, 'converged');
  }
}
