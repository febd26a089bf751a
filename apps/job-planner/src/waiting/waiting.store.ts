import type { RpcRequest, WaitingEntry, WaitingRpc } from '@muster/contracts';
import { Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { NIL } from 'uuid';
import { pageSql, SOURCES } from './waiting.sources.js';

/** The SQL of what has not ended. */
@Injectable()
export class WaitingStore {
  constructor(private readonly dataSource: DataSource) {}

  /** By when they are due, without a time last, and then their id, after the one named; at most `limit`. */
  async page({ project_id, entity, after, limit }: RpcRequest<WaitingRpc>): Promise<WaitingEntry[]> {
    const sources = Object.entries(SOURCES).filter(([name]) => entity === undefined || name === entity);
    if (sources.length === 0) return [];
    const place = after ? [after.due_at ?? 'infinity', after.id] : ['-infinity', NIL];
    return this.dataSource.query(pageSql(sources.map(([, sql]) => sql)), [project_id, limit, ...place]);
  }
}
