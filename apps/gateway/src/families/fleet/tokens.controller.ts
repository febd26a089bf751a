import { Controller, Delete, Get, HttpCode, Post } from '@nestjs/common';
import { Caller, CallerSecret, type Principal } from '../../auth/principal.js';
import { endpointsOf } from '../../common/endpoint.js';
import { JsonBody, PathId, QueryParameters } from '../../common/input.js';
import { Creating, type CreateRequest } from '../../idempotency/idempotency.js';
import { Tokens } from '../../tokens/tokens.js';
import { fleet } from './fleet.dialect.js';
import { DEFAULT_PAGE, IssuedToken, NewToken, Page, TokenPage } from './fleet.dto.js';

const Endpoint = endpointsOf(fleet);

/** `/api/v1/tokens` (interfaces §6). */
@Controller('api/v1/tokens')
export class TokensController {
  constructor(private readonly tokens: Tokens) {}

  @Post()
  @Endpoint({
    access: 'administer',
    summary: 'Issue a token; its secret is shown once',
    body: NewToken,
    creates: true,
    answers: { status: 201, schema: IssuedToken },
    refuses: [409],
  })
  issue(
    @Caller() caller: Principal,
    @CallerSecret() secret: string,
    @Creating() request: CreateRequest,
    @JsonBody(NewToken) order: NewToken,
  ) {
    return this.tokens.issue(caller, secret, request, order);
  }

  @Get()
  @Endpoint({
    access: 'administer',
    summary: 'List tokens, without their secrets',
    query: Page,
    answers: { status: 200, schema: TokenPage },
  })
  list(@Caller() caller: Principal, @QueryParameters(Page) { after, limit = DEFAULT_PAGE }: Page) {
    return this.tokens.list(caller, after, limit);
  }

  @Delete(':id')
  @HttpCode(204)
  @Endpoint({ access: 'administer', summary: 'Revoke a token', answers: { status: 204 }, refuses: [404, 409] })
  async revoke(@Caller() caller: Principal, @PathId('id') id: string): Promise<void> {
    await this.tokens.revoke(caller, id);
  }
}
