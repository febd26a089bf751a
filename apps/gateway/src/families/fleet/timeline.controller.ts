import { Controller, Get } from '@nestjs/common';
import { Caller, type Principal } from '../../auth/principal.js';
import { endpointsOf } from '../../common/endpoint.js';
import { PathId, QueryParameters } from '../../common/input.js';
import { DeviceTimeline } from '../../timeline/device.timeline.js';
import { fleet } from './fleet.dialect.js';
import { DEFAULT_PAGE, ListTimeline, TimelinePage } from './fleet.dto.js';

const Endpoint = endpointsOf(fleet);

/** `/api/v1/devices/{id}/timeline` (interfaces §6). */
@Controller('api/v1/devices')
export class TimelineController {
  constructor(private readonly timeline: DeviceTimeline) {}

  @Get(':id/timeline')
  @Endpoint({
    access: 'read',
    summary: 'List all that happened to a device, newest first',
    query: ListTimeline,
    answers: { status: 200, schema: TimelinePage },
    refuses: [404],
  })
  list(
    @Caller() { project }: Principal,
    @PathId('id') id: string,
    @QueryParameters(ListTimeline) { limit = DEFAULT_PAGE, after }: ListTimeline,
  ) {
    return this.timeline.page(project, id, limit, after);
  }
}
