import { drifts, type RpcRequest, type RpcResponse } from '@muster/contracts';
import { Rpc } from '@muster/messaging';
import { Controller } from '@nestjs/common';
import { DriftStore } from './drift.store.js';

/** Questions about devices that drifted. */
@Controller()
export class DriftsRpc {
  constructor(private readonly store: DriftStore) {}

  @Rpc(drifts.listDrifts)
  async listDrifts(request: RpcRequest<typeof drifts.listDrifts>): Promise<RpcResponse<typeof drifts.listDrifts>> {
    const { project_id, state, after, limit } = request;
    const rows = await this.store.page(project_id, state, after, limit + 1);
    const page = rows.slice(0, limit);
    return {
      drifts: page.map((row) => ({
        id: row.id,
        device_id: row.device_id,
        device_name: row.name,
        state: row.state,
        reason: row.reason,
        since: row.state_at.toISOString(),
        paths: row.paths,
        source_id: row.source_id,
        attempts: row.attempts,
      })),
      next: rows.length > limit ? page.at(-1)!.id : null,
    };
  }
}
