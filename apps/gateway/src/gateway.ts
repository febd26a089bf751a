import { LOGGER, type Logger, type ServiceDefinition } from '@muster/service';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { AuthHook } from './auth/auth.hook.js';
import { acceptBodies } from './common/bodies.js';
import { httpOptions } from './common/http.options.js';
import { followRequests } from './common/request.hooks.js';
import { RouteTable } from './common/route-table.js';
import { readGatewayConfig } from './gateway.config.js';
import { GatewayModule } from './gateway.module.js';
import { serveDocuments } from './openapi/documents.js';
import { entities, migrations } from './schema.js';
import { InstallationToken } from './tokens/installation-token.js';

/** The gateway: five dialects, one door (architecture). `env` holds what {@link readGatewayConfig} reads. */
export const gateway = (env: NodeJS.ProcessEnv): ServiceDefinition => ({
  service: 'gateway',
  module: GatewayModule,
  entities,
  migrations,
  fastify: httpOptions,
  configure: async (app: NestFastifyApplication) => {
    await app.get(InstallationToken).install(readGatewayConfig(env));
    const http = app.getHttpAdapter().getInstance();
    app.get(RouteTable).follow(http);
    followRequests(http, app.get<Logger>(LOGGER));
    app.get(AuthHook).guard(http);
    acceptBodies(app);
    serveDocuments(app);
  },
});
