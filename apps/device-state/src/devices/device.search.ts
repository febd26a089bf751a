import type { Device, DeviceQuery } from '@muster/contracts';
import { NATS } from '@muster/service';
import { Inject, Injectable } from '@nestjs/common';
import type { NatsConnection } from 'nats';
import { GroupStore } from '../groups/group.store.js';
import { groupsNamedBy } from '../groups/group.tree.js';
import { toDevice } from './device.document.js';
import { DeviceStore, type PageRequest, type ResolvedRow } from './device.store.js';
import { pageBytes } from './page.bytes.js';

/** A keyset page of the devices that a query means; all of the project without one. */
export interface SearchRequest {
  project_id: string;
  query?: DeviceQuery;
  after?: string;
  limit: number;
}

export interface Found<T> {
  devices: T[];
  /** The id to go on after; null at the end. */
  next: string | null;
}

/** Finds the devices of queries, with the groups that these name. @throws DomainError `invalid` naming what is wrong with the query. */
@Injectable()
export class DeviceSearch {
  constructor(
    private readonly devices: DeviceStore,
    private readonly groups: GroupStore,
    @Inject(NATS) private readonly connection: NatsConnection,
  ) {}

  /** Their documents. A page of large ones may be shorter than its limit; `next` alone says whether there is more. */
  async page(request: SearchRequest): Promise<Found<Device>> {
    const { rows, next } = await this.devices.page(await this.pageRequest(request), pageBytes(this.connection));
    return { devices: rows.map(toDevice), next };
  }

  /** What one needs to work on each, and no more. */
  async resolve(request: SearchRequest): Promise<Found<ResolvedRow>> {
    const { rows, next } = await this.devices.resolve(await this.pageRequest(request));
    return { devices: rows, next };
  }

  private async pageRequest({ project_id, query = {}, after, limit }: SearchRequest): Promise<PageRequest> {
    const groups = await this.groups.tree(project_id, groupsNamedBy(query));
    return { project_id, query, groups, after, limit };
  }
}
