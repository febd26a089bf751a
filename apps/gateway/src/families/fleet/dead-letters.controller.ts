import { DeadLetter } from '@muster/contracts';
import { Controller, Delete, Get, HttpCode, Post } from '@nestjs/common';
import { Caller, type Principal } from '../../auth/principal.js';
import { endpointsOf } from '../../common/endpoint.js';
import { JsonBody, NoBody, PathId, QueryParameters } from '../../common/input.js';
import { DeadLettersOfAll } from '../../dead-letters/dead-letters.of-all.js';
import { fleet } from './fleet.dialect.js';
import { DeadLetterPage, DEFAULT_PAGE, ListDeadLetters, ReplayDeadLetters, ReplayedDeadLetters } from './fleet.dto.js';

const Endpoint = endpointsOf(fleet);

/** Letters of other projects, and those that tell no project, are the installation's alone. */
const scopeOf = ({ installation, project }: Principal) => (installation ? null : project);

/** `/api/v1/dead-letters` (interfaces §6). */
@Controller('api/v1/dead-letters')
export class DeadLettersController {
  constructor(private readonly letters: DeadLettersOfAll) {}

  @Get()
  @Endpoint({
    access: 'administer',
    summary: 'List messages that could not be handled, of all services, oldest first',
    query: ListDeadLetters,
    answers: { status: 200, schema: DeadLetterPage },
  })
  async list(@Caller() caller: Principal, @QueryParameters(ListDeadLetters) query: ListDeadLetters) {
    const { limit = DEFAULT_PAGE, after, ...filter } = query;
    const { letters, next } = await this.letters.list(scopeOf(caller), filter, limit, after);
    return { dead_letters: letters, next };
  }

  @Post('replay')
  @HttpCode(200)
  @Endpoint({
    access: 'administer',
    summary: 'Publish dead letters again: a page of those that a list with the same words shows',
    body: ReplayDeadLetters,
    answers: { status: 200, schema: ReplayedDeadLetters },
  })
  replayPage(@Caller() caller: Principal, @JsonBody(ReplayDeadLetters) body: ReplayDeadLetters) {
    const { limit = DEFAULT_PAGE, after, ...filter } = body;
    return this.letters.replayPage(scopeOf(caller), filter, limit, after);
  }

  @Get(':id')
  @Endpoint({
    access: 'administer',
    summary: 'Show a dead letter with its payload',
    answers: { status: 200, schema: DeadLetter },
    refuses: [404],
  })
  show(@Caller() caller: Principal, @PathId('id') id: string): Promise<DeadLetter> {
    return this.letters.find(scopeOf(caller), id);
  }

  @Post(':id/replay')
  @HttpCode(204)
  @Endpoint({
    access: 'administer',
    summary: 'Publish a dead letter again; one that fails again comes back as a new letter',
    answers: { status: 204 },
    refuses: [400, 404, 413],
  })
  replay(@Caller() caller: Principal, @PathId('id') id: string, @NoBody() _: void): Promise<void> {
    return this.letters.replay(scopeOf(caller), id);
  }

  @Delete(':id')
  @HttpCode(204)
  @Endpoint({
    access: 'administer',
    summary: 'Give a dead letter up',
    answers: { status: 204 },
    refuses: [404],
  })
  discard(@Caller() caller: Principal, @PathId('id') id: string): Promise<void> {
    return this.letters.discard(scopeOf(caller), id);
  }
}
