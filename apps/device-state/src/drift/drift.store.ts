import type { Drift } from '@muster/contracts';
import { batch, type Created, type Tx } from '@muster/journal';
import { Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import type { DriftEntity } from './drift.entity.js';
import { TimelineStore } from '../timeline/timeline.store.js';
import { driftIdOf } from './drift.id.js';
import { driftTable } from './drift.table.js';

/** What a device lacks of what it had. */
export interface Lost {
  device_id: string;
  paths: readonly string[];
}

export type DriftRow = Pick<
  DriftEntity,
  'id' | 'device_id' | 'state' | 'reason' | 'state_at' | 'paths' | 'source_id' | 'attempts'
> & { name: string };

/** A device that comes back by itself in that time is left to do so. */
const DUE = { due_at: `now() + interval '2 seconds'` };

const driftId = ({ device_id }: Lost) => driftIdOf(device_id);

/** The SQL of drift. Whoever writes a device's drift holds the lock of its device. */
@Injectable()
export class DriftStore {
  constructor(
    private readonly dataSource: DataSource,
    private readonly timeline: TimelineStore,
  ) {}

  /** Devices that have drifted just now, for the first time or again. */
  async open(tx: Tx, lost: readonly Lost[]): Promise<void> {
    const columns = (of: readonly Lost[]) => ({
      device_id: of.map(({ device_id }) => device_id),
      paths: of.map(({ paths }) => paths),
    });
    const created = await tx.create(driftTable, { id: lost.map(driftId), ...columns(lost) }, { compute: DUE });
    const first = new Set(created.map(({ id }) => id));
    const again = lost.filter((one) => !first.has(driftId(one)));
    const moved = await tx.transition(driftTable, 'DRIFTED', {
      ids: again.map(driftId),
      each: columns(again),
      compute: DUE,
    });
    await this.remember(tx, 'DRIFTED', '', [...created, ...moved]);
  }

  async resolve(tx: Tx, devices: readonly string[], reason: 'converged' | 'desired changed'): Promise<void> {
    const moved = await tx.transition(driftTable, 'RESOLVED', {
      ids: devices.map(driftIdOf),
      set: { reason, due_at: null },
    });
    await this.remember(tx, 'RESOLVED', reason, moved);
  }

  private remember(tx: Tx, state: Drift['state'], reason: string, drifts: readonly Created[]): Promise<void> {
    return this.timeline.append(
      tx,
      { entity: 'drift', state, reason },
      drifts.map(({ id, row }) => ({
        device_id: String(row['device_id']),
        entity_id: id,
        detail: { paths: row['paths'] },
      })),
    );
  }

  /** Devices that had drifted before, and lack something else now. */
  async renew(tx: Tx, lost: readonly Lost[]): Promise<void> {
    if (lost.length === 0) return;
    await tx.query(
      `UPDATE drift t SET paths = ARRAY(SELECT jsonb_array_elements_text(i.paths::jsonb))
       FROM ${batch(['$2::uuid[]', '$3::text[]'], ['id', 'paths'])}
       WHERE t.project_id = i.project_id AND t.id = i.id AND to_jsonb(t.paths) <> i.paths::jsonb`,
      [tx.project, lost.map(driftId), lost.map(({ paths }) => JSON.stringify(paths))],
    );
  }

  /** In the order of their ids, with the names of their devices; at most `limit`. */
  page(
    project: string,
    state: Drift['state'] | undefined,
    after: string | undefined,
    limit: number,
  ): Promise<DriftRow[]> {
    const parameters: unknown[] = [project, limit];
    const conditions = ['t.project_id = $1'];
    // Written out, so that the index of those that are open is taken.
    if (state) conditions.push(state === 'DRIFTED' ? `t.state = 'DRIFTED'` : `t.state <> 'DRIFTED'`);
    if (after !== undefined) conditions.push(`t.id > $${parameters.push(after)}`);
    return this.dataSource.query(
      `SELECT t.id, t.device_id, t.state, t.reason, t.state_at, t.paths, t.source_id, t.attempts, d.name
       FROM drift t JOIN device d ON d.project_id = t.project_id AND d.id = t.device_id
       WHERE ${conditions.join(' AND ')} ORDER BY t.id LIMIT $2`,
      parameters,
    );
  }
}
