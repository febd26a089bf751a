import { Controller, Get, Header, Inject, Res } from '@nestjs/common';
import type { FastifyReply } from 'fastify';
import type { NatsConnection } from 'nats';
import { DataSource } from 'typeorm';
import { Metrics } from './metrics.js';
import { NATS } from './tokens.js';

/** `/healthz`: the process runs. `/readyz`: it can do its work. `/metrics`: what it did. On every service (interfaces §6). */
@Controller()
export class HealthController {
  constructor(
    private readonly dataSource: DataSource,
    @Inject(NATS) private readonly connection: NatsConnection,
    private readonly metrics: Metrics,
  ) {}

  @Get('healthz')
  healthz(): { status: 'ok' } {
    return { status: 'ok' };
  }

  @Get('readyz')
  async readyz(
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<{ status: string; checks: Record<string, string> }> {
    const checks = { postgres: await this.postgres(), nats: this.connection.isClosed() ? 'closed' : await this.nats() };
    const ready = Object.values(checks).every((check) => check === 'ok');
    reply.status(ready ? 200 : 503);
    return { status: ready ? 'ok' : 'unavailable', checks };
  }

  @Get('metrics')
  @Header('content-type', 'text/plain; version=0.0.4')
  metricsText(): Promise<string> {
    return this.metrics.registry.metrics();
  }

  private async postgres(): Promise<string> {
    return this.dataSource.query('SELECT 1').then(
      () => 'ok',
      () => 'unreachable',
    );
  }

  private async nats(): Promise<string> {
    return this.connection.rtt().then(
      () => 'ok',
      () => 'unreachable',
    );
  }
}
