import { deviceCredentials, type RpcRequest, type RpcResponse } from '@muster/contracts';
import { Rpc } from '@muster/messaging';
import { Controller } from '@nestjs/common';
import { Credentials } from './credentials.js';

type Contracts = typeof deviceCredentials;
type Request<M extends keyof Contracts> = RpcRequest<Contracts[M]>;
type Response<M extends keyof Contracts> = RpcResponse<Contracts[M]>;

/** Questions about the credentials of devices. */
@Controller()
export class CredentialsRpc {
  constructor(private readonly credentials: Credentials) {}

  @Rpc(deviceCredentials.issue)
  issue({ order, ...rest }: Request<'issue'>): Promise<Response<'issue'>> {
    return this.credentials.issue({ ...rest, seconds: order.expires_in_seconds });
  }

  @Rpc(deviceCredentials.rotate)
  rotate({ order, replaces, ...rest }: Request<'rotate'>): Promise<Response<'rotate'>> {
    const { expires_in_seconds: seconds, overlap_seconds = 0 } = order;
    return this.credentials.rotate({ ...rest, seconds }, replaces, overlap_seconds);
  }

  @Rpc(deviceCredentials.list)
  list({ project_id, device_id, after, limit }: Request<'list'>): Promise<Response<'list'>> {
    return this.credentials.list(project_id, device_id, after, limit);
  }

  @Rpc(deviceCredentials.revoke)
  async revoke(key: Request<'revoke'>): Promise<Response<'revoke'>> {
    await this.credentials.revoke(key);
    return {};
  }
}
