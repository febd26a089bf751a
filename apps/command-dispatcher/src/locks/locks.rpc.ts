import { commandDispatcher, type RpcRequest, type RpcResponse } from '@muster/contracts';
import { Rpc } from '@muster/messaging';
import { Controller } from '@nestjs/common';
import { LockStore } from './lock.store.js';
import { LockTake } from './lock.take.js';

/** Questions about the locks of devices. */
@Controller()
export class LocksRpc {
  constructor(
    private readonly locks: LockTake,
    private readonly store: LockStore,
  ) {}

  @Rpc(commandDispatcher.lockDevices)
  async lockDevices({
    project_id,
    owner,
    device_ids,
    ...terms
  }: RpcRequest<typeof commandDispatcher.lockDevices>): Promise<RpcResponse<typeof commandDispatcher.lockDevices>> {
    return { devices: await this.locks.take(project_id, owner.toLowerCase(), plain(device_ids), terms) };
  }

  @Rpc(commandDispatcher.unlockDevices)
  async unlockDevices({
    project_id,
    owner,
    device_ids,
  }: RpcRequest<typeof commandDispatcher.unlockDevices>): Promise<RpcResponse<typeof commandDispatcher.unlockDevices>> {
    return { unlocked: await this.locks.release(project_id, owner.toLowerCase(), plain(device_ids)) };
  }

  @Rpc(commandDispatcher.getLocks)
  async getLocks({
    project_id,
    device_ids,
  }: RpcRequest<typeof commandDispatcher.getLocks>): Promise<RpcResponse<typeof commandDispatcher.getLocks>> {
    return { locks: await this.store.held(project_id, device_ids) };
  }
}

/** Each once, as Postgres writes it. */
const plain = (ids: readonly string[]): string[] => [...new Set(ids.map((id) => id.toLowerCase()))];
