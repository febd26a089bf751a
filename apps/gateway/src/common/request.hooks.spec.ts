import type { Logger } from '@muster/service';
import fastify, { type FastifyInstance } from 'fastify';
import { once } from 'node:events';
import { request as httpRequest } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { httpOptions } from './http.options.js';
import { followRequests } from './request.hooks.js';

let http: FastifyInstance;
let told: Record<string, unknown>[];
let url: string;

beforeEach(async () => {
  told = [];
  http = fastify(httpOptions);
  followRequests(http, { info: (line: Record<string, unknown>) => told.push(line) } as unknown as Logger);
  http.get('/things/:id', () => 'fine');
  http.get('/slow', (_request, reply) => {
    reply.hijack();
    reply.raw.write('begun');
  });
  url = await http.listen({ port: 0, host: '127.0.0.1' });
});

afterEach(() => http.close());

describe('given the log of requests', () => {
  it('when one is answered, then its line tells the route and no value of it, nor any query', async () => {
    const headers = { 'x-request-id': 'mine', authorization: 'Bearer hidden' };
    await fetch(`${url}/things/private?token=hidden`, { headers });
    await expect.poll(() => told).toHaveLength(1);
    expect(told[0]).toEqual({
      method: 'GET',
      route: '/things/:id',
      status: 200,
      ms: expect.any(Number) as number,
      request_id: 'mine',
    });
  });

  it('when the path is unknown, then the line does not repeat it', async () => {
    await fetch(`${url}/private`);
    await expect.poll(() => told).toHaveLength(1);
    expect(told[0]).toMatchObject({ route: 'none', status: 404 });
  });

  it('when the client goes away before the end, then the line says so', async () => {
    const { port } = http.server.address() as AddressInfo;
    const asked = httpRequest({ port, host: '127.0.0.1', path: '/slow' });
    asked.on('error', () => undefined);
    asked.end();
    await once(asked, 'response');
    asked.destroy();
    await expect.poll(() => told).toHaveLength(1);
    expect(told[0]).toMatchObject({ route: '/slow', aborted: true });
  });
});
