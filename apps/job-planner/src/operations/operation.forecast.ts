import {
  BATCH_SIZE,
  deviceState,
  type DeviceQuery,
  type operationRollouts,
  type RolloutPlan,
  type RpcRequest,
} from '@muster/contracts';
import { RpcClient } from '@muster/messaging';
import { Injectable } from '@nestjs/common';
import type { TargetPage } from '../rollout/family.js';
import { RolloutForecast } from '../rollout/rollout.forecast.js';

/** Says what the rollout of an operation would do. */
@Injectable()
export class OperationForecast {
  constructor(
    private readonly rpc: RpcClient,
    private readonly forecast: RolloutForecast,
  ) {}

  /** The duration is estimated after earlier rollouts of the same command. */
  of({
    project_id,
    operation,
    query,
    rollout,
  }: RpcRequest<typeof operationRollouts.planOperationRollout>): Promise<RolloutPlan> {
    return this.forecast.of({
      project_id,
      spec: rollout,
      command: operation,
      find: (wave, cursor) => this.page(project_id, query && wave ? { and: [query, wave] } : (query ?? wave), cursor),
    });
  }

  /** The page of devices after a cursor, as the operation itself would find them. */
  private async page(project_id: string, query: DeviceQuery | undefined, cursor: string): Promise<TargetPage> {
    const { devices, next } = await this.rpc.call(deviceState.resolve, {
      project_id,
      ...(query && { query }),
      limit: BATCH_SIZE,
      ...(cursor !== '' && { after: cursor }),
    });
    const targets = devices.map(({ id, timezone }) => ({ target_id: id, device_id: id, timezone, own: {} }));
    return { targets, cursor: next ?? cursor, last: next === null };
  }
}
