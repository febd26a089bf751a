import {
  DomainError,
  timelines,
  type RpcRequest,
  type RpcResponse,
  type TimelineRpc as Contract,
} from '@muster/contracts';
import { pageOf, Rpc } from '@muster/messaging';
import { Controller } from '@nestjs/common';
import { DeviceStore } from '../devices/device.store.js';
import { TimelineStore } from './timeline.store.js';

/** What happened to a device. */
@Controller()
export class TimelineRpc {
  constructor(
    private readonly store: TimelineStore,
    private readonly devices: DeviceStore,
  ) {}

  @Rpc(timelines['device-state'])
  async timeline({ project_id, device_id, before, limit }: RpcRequest<Contract>): Promise<RpcResponse<Contract>> {
    const [known] = await this.devices.presence(project_id, [device_id]);
    if (!known) throw new DomainError('not_found', `no device ${device_id}`);
    return pageOf(await this.store.page(project_id, device_id, before, limit + 1), limit);
  }
}
