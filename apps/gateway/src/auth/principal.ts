import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import type { IncomingHttpHeaders } from 'node:http';
import type { Role } from './roles.js';

/** Whom a request's token stands for. */
export interface Principal {
  /** Slug of the one project that the token opens. */
  project: string;
  /** The same project as a UUID. */
  projectUuid: string;
  role: Role;
  /** Whether it is the installation's own token. */
  installation: boolean;
  /** Who acts, as a UUID. */
  actorId: string;
  /** The same as a number. */
  actorNumber: number;
  /** IANA name of the zone that schedules are read in where they go by their maker's clock. */
  timezone: string;
}

/** The token of a request: `Authorization: Bearer T`, else `X-Auth-Token: T` (interfaces: "Auth"). */
export function bearerOf(headers: IncomingHttpHeaders): string | undefined {
  const [, bearer] = /^bearer +(\S+)\s*$/i.exec(headers.authorization ?? '') ?? [];
  if (bearer) return bearer;
  const token = headers['x-auth-token'];
  return typeof token === 'string' && token !== '' ? token : undefined;
}

const requestOf = (context: ExecutionContext) => context.switchToHttp().getRequest<FastifyRequest>();

/** The {@link Principal} of the request. */
export const Caller = createParamDecorator((_: unknown, context: ExecutionContext): Principal => {
  const { principal } = requestOf(context);
  if (!principal) throw new Error('the route has no access rule, so nobody was identified');
  return principal;
});

/** The secret that the caller signed in with; for the one place that needs more than who it was. */
export const CallerSecret = createParamDecorator(
  (_: unknown, context: ExecutionContext): string => bearerOf(requestOf(context).headers) ?? '',
);
