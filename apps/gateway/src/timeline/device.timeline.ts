import { timelines, type TimelineEntry, type TimelineRpc } from '@muster/contracts';
import { RpcClient } from '@muster/messaging';
import { Injectable } from '@nestjs/common';
import { mergePages, upwards } from '../common/merge.pages.js';
import { placeText, readTimedPlace } from '../common/place.js';

const newestFirst = (a: TimelineEntry, b: TimelineEntry) => upwards(b.at, a.at) || upwards(b.id, a.id);

/** What happened to a device, of all services as one list, newest first. */
@Injectable()
export class DeviceTimeline {
  constructor(private readonly rpc: RpcClient) {}

  /**
   * @throws DomainError `not_found` when the project has no such device; `unavailable` naming the service that does not answer: without what
   * it knows the list would look whole; `invalid` naming `after`.
   */
  async page(
    project_id: string,
    device_id: string,
    limit: number,
    after?: string,
  ): Promise<{ timeline: TimelineEntry[]; next: string | null }> {
    const place = after === undefined ? undefined : readTimedPlace(after);
    const before = place && { before: { at: place.time, id: place.id } };
    const pages = await Promise.all(
      Object.values<TimelineRpc>(timelines).map(async (timeline) => {
        const { entries, more } = await this.rpc.call(timeline, { project_id, device_id, limit, ...before });
        return { items: entries, more };
      }),
    );
    const { items, more } = mergePages(pages, limit, newestFirst);
    const last = items.at(-1);
    return { timeline: items, next: more && last ? placeText({ time: last.at, id: last.id }) : null };
  }
}
