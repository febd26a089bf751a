import { drifts } from '@muster/contracts';
import { RpcClient } from '@muster/messaging';
import { Controller, Get } from '@nestjs/common';
import { Caller, type Principal } from '../../auth/principal.js';
import { endpointsOf } from '../../common/endpoint.js';
import { QueryParameters } from '../../common/input.js';
import { fleet } from './fleet.dialect.js';
import { DEFAULT_PAGE, DriftPage, ListDrifts } from './fleet.dto.js';

const Endpoint = endpointsOf(fleet);

/** `/api/v1/drifts`: devices that had all that is desired of them, and lost some of it. */
@Controller('api/v1/drifts')
export class DriftsController {
  constructor(private readonly rpc: RpcClient) {}

  @Get()
  @Endpoint({
    access: 'read',
    summary: 'List the drifts of devices, in the order of their ids',
    query: ListDrifts,
    answers: { status: 200, schema: DriftPage },
  })
  list(@Caller() { project }: Principal, @QueryParameters(ListDrifts) parameters: ListDrifts) {
    return this.rpc.call(drifts.listDrifts, { project_id: project, limit: DEFAULT_PAGE, ...parameters });
  }
}
