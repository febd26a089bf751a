import { toAsyncApi } from '@muster/contracts';
import { Controller, Get } from '@nestjs/common';
import { ApiOkResponse, ApiOperation } from '@nestjs/swagger';
import { VERSION } from '../common/version.js';

/** `/asyncapi.json`: what other systems and devices see on the bus (interfaces §7). */
@Controller()
export class AsyncApiController {
  private readonly document = toAsyncApi(VERSION);

  @Get('asyncapi.json')
  @ApiOperation({ summary: 'AsyncAPI 3 document of the bus' })
  @ApiOkResponse({ description: 'OK', content: { 'application/json': { schema: { type: 'object' } } } })
  asyncApi(): Record<string, unknown> {
    return this.document;
  }
}
