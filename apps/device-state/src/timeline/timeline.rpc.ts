import { deviceTimeline, DomainError, type RpcRequest, type RpcResponse } from '@muster/contracts';
import { Rpc } from '@muster/messaging';
import { Controller } from '@nestjs/common';
import { DeviceStore } from '../devices/device.store.js';
import { TimelineStore } from './timeline.store.js';

type Timeline = typeof deviceTimeline.timeline;

/** What happened to a device. */
@Controller()
export class TimelineRpc {
  constructor(
    private readonly store: TimelineStore,
    private readonly devices: DeviceStore,
  ) {}

  @Rpc(deviceTimeline.timeline)
  async timeline({ project_id, device_id, before, limit }: RpcRequest<Timeline>): Promise<RpcResponse<Timeline>> {
    const [known] = await this.devices.presence(project_id, [device_id]);
    if (!known) throw new DomainError('not_found', `no device ${device_id}`);
    return { entries: await this.store.page(project_id, device_id, before, limit) };
  }
}
