import { deviceState, type DeviceQuery } from '@muster/contracts';
import { RpcClient } from '@muster/messaging';
import { Injectable } from '@nestjs/common';
import { NIL } from 'uuid';

export interface NamedDevice {
  id: string;
  name: string;
}

const LOOK_UP = 1_000;

/** Asks device-state for the devices of targets. */
@Injectable()
export class TargetDevices {
  constructor(private readonly rpc: RpcClient) {}

  /** Those of the devices that exist in the project, by their ids in lower case. */
  async find(project_id: string, ids: readonly string[]): Promise<Map<string, NamedDevice>> {
    const found = new Map<string, NamedDevice>();
    for (let at = 0; at < ids.length; at += LOOK_UP) {
      const query = { ids: ids.slice(at, at + LOOK_UP) };
      const { devices } = await this.rpc.call(deviceState.resolve, { project_id, query, limit: LOOK_UP });
      for (const { id, name } of devices) found.set(id, { id, name });
    }
    return found;
  }

  /** @throws DomainError `invalid` where a query means nothing beside listed devices. */
  async mayFit(project_id: string, query: DeviceQuery): Promise<void> {
    await this.rpc.call(deviceState.resolve, { project_id, query: { and: [{ ids: [NIL] }, query] }, limit: 1 });
  }
}
