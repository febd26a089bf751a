import { Injectable } from '@nestjs/common';
import type { GatewayConfig } from '../gateway.config.js';
import { hashOf } from './token.secret.js';
import { TokenStore } from './token.store.js';

/** The token that the environment gives: the first way in, and the way back in when every other token is lost. */
@Injectable()
export class InstallationToken {
  constructor(private readonly store: TokenStore) {}

  async install(config: GatewayConfig): Promise<void> {
    await this.store.install(config.project, hashOf(config.adminToken));
  }
}
