import { Injectable } from '@nestjs/common';
import type { FastifyInstance } from 'fastify';
import { isApi } from '../families/families.js';

/** A route as it was registered: `url` with `:name` for a parameter. */
export interface Route {
  method: string;
  url: string;
}

/** Every route of the server, for what the router itself does not tell: which methods a path has. */
@Injectable()
export class RouteTable {
  readonly routes: Route[] = [];

  /** @throws Error at start-up for a route of an API that names no access rule, and so would be open to everybody. */
  follow(http: FastifyInstance): void {
    http.addHook('onRoute', ({ method, url, config }) => {
      if (isApi(url) && config?.access === undefined) throw new Error(`route ${url} names no access rule`);
      for (const one of [method].flat()) this.routes.push({ method: one, url });
    });
  }

  /** The methods that some route takes on this path, in the alphabet's order; none when there is no such path. */
  methodsOf(path: string): string[] {
    const asked = path.replace(/(.)\/$/, '$1').split('/');
    const methods = this.routes.filter(({ url }) => matches(url.split('/'), asked)).map(({ method }) => method);
    return [...new Set(methods)].sort();
  }
}

const matches = (pattern: string[], path: string[]) =>
  pattern.length === path.length &&
  pattern.every((part, at) => (part.startsWith(':') ? path[at] !== '' : part === path[at]));
