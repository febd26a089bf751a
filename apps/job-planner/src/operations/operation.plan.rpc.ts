import { operationRollouts, type RolloutPlan, type RpcRequest } from '@muster/contracts';
import { Rpc } from '@muster/messaging';
import { Controller } from '@nestjs/common';
import { OperationForecast } from './operation.forecast.js';

/** What device-state asks of operations that are yet to be made. */
@Controller()
export class OperationPlanRpc {
  constructor(private readonly forecast: OperationForecast) {}

  @Rpc(operationRollouts.planOperationRollout)
  planOperationRollout(request: RpcRequest<typeof operationRollouts.planOperationRollout>): Promise<RolloutPlan> {
    return this.forecast.of(request);
  }
}
