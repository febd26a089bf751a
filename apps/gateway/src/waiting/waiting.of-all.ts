import { WAITING_ENTITIES, waitings, type WaitingEntry, type WaitingService } from '@muster/contracts';
import { RpcClient } from '@muster/messaging';
import { Injectable } from '@nestjs/common';
import { mergePages, upwards } from '../common/merge.pages.js';
import { placeText, readPlace } from '../common/place.js';

/** Behind every time. */
const NEVER = '~';

const nextFirst = (a: WaitingEntry, b: WaitingEntry) =>
  upwards(a.due_at ?? NEVER, b.due_at ?? NEVER) || upwards(a.id, b.id);

const keeps = (service: WaitingService, entity: WaitingEntry['entity']) =>
  (WAITING_ENTITIES[service] as readonly string[]).includes(entity);

/** What is not terminal, of all services as one list: what is due next comes first. */
@Injectable()
export class WaitingOfAll {
  constructor(private readonly rpc: RpcClient) {}

  /**
   * @throws DomainError `unavailable` naming the service that does not answer, if what it keeps is asked for; `invalid` naming `after`.
   */
  async page(
    project_id: string,
    entity: WaitingEntry['entity'] | undefined,
    limit: number,
    after?: string,
  ): Promise<{ waiting: WaitingEntry[]; next: string | null }> {
    const place = after === undefined ? undefined : readPlace(after);
    const request = {
      project_id,
      limit,
      ...(entity !== undefined && { entity }),
      ...(place && { after: { due_at: place.time, id: place.id } }),
    };
    const services = (Object.keys(waitings) as WaitingService[]).filter(
      (service) => entity === undefined || keeps(service, entity),
    );
    const pages = await Promise.all(
      services.map(async (service) => {
        const { entries, more } = await this.rpc.call(waitings[service], request);
        return { items: entries, more };
      }),
    );
    const { items, more } = mergePages(pages, limit, nextFirst);
    const last = items.at(-1);
    return { waiting: items, next: more && last ? placeText({ time: last.due_at, id: last.id }) : null };
  }
}
