import { Controller, Get } from '@nestjs/common';
import { Caller, type Principal } from '../../auth/principal.js';
import { endpointsOf } from '../../common/endpoint.js';
import { QueryParameters } from '../../common/input.js';
import { WaitingOfAll } from '../../waiting/waiting.of-all.js';
import { fleet } from './fleet.dialect.js';
import { DEFAULT_PAGE, ListWaiting, WaitingPage } from './fleet.dto.js';

const Endpoint = endpointsOf(fleet);

/** `/api/v1/waiting` (interfaces §6; rollout.md, promise 5). */
@Controller('api/v1/waiting')
export class WaitingController {
  constructor(private readonly waiting: WaitingOfAll) {}

  @Get()
  @Endpoint({
    access: 'read',
    summary: 'List what has not ended, why it waits and until when; what is due next comes first',
    query: ListWaiting,
    answers: { status: 200, schema: WaitingPage },
  })
  list(
    @Caller() { project }: Principal,
    @QueryParameters(ListWaiting) { limit = DEFAULT_PAGE, after, entity }: ListWaiting,
  ) {
    return this.waiting.page(project, entity, limit, after);
  }
}
