import fastify from 'fastify';
import { describe, expect, it } from 'vitest';
import { RouteTable } from './route-table.js';

const handler = () => ({});

describe('given the routes of a server', () => {
  it('when a path has routes, then their methods are known, and none for a path without', () => {
    const table = new RouteTable();
    const http = fastify();
    table.follow(http);
    http.get('/things', handler);
    http.post('/things', handler);
    http.delete('/things/:id', handler);
    expect(table.methodsOf('/things')).toEqual(['GET', 'HEAD', 'POST']);
    expect(table.methodsOf('/things/')).toEqual(['GET', 'HEAD', 'POST']);
    expect(table.methodsOf('/things/7')).toEqual(['DELETE']);
    for (const path of ['/things//', '/things/7/8', '/thing', '/']) expect(table.methodsOf(path), path).toEqual([]);
  });

  it('when a route of an API names no access rule, then the server does not start', () => {
    const table = new RouteTable();
    const http = fastify();
    table.follow(http);
    expect(() => http.get('/api/v1/secrets', handler)).toThrow('/api/v1/secrets names no access rule');
    expect(() => http.get('/api/v1/ours', { config: { access: 'read' } }, handler)).not.toThrow();
  });
});
