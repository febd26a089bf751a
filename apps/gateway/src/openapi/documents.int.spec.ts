import asyncApiSpecs from '@asyncapi/specs';
import { Ajv } from 'ajv';
import { Ajv2020 } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import { DataSource } from 'typeorm';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { RouteTable } from '../common/route-table.js';
import { isApi } from '../families/families.js';
import { startGateway, type TestGateway } from '../testing/gateway.harness.js';

type Json = Record<string, unknown>;
interface Operation {
  summary?: string;
  tags: string[];
  security?: object[];
  parameters: { name: string; in: string; schema: Json }[];
  requestBody?: { content: Record<string, { schema: Json }> };
  responses: Record<string, { description: string; content?: Record<string, { schema: Json }> }>;
}
interface OpenApi {
  openapi: string;
  info: Json;
  paths: Record<string, Record<string, Operation>>;
  components: { schemas: Record<string, Json>; securitySchemes: Json };
}

let gateway: TestGateway;
let document: OpenApi;

beforeAll(async () => {
  gateway = await startGateway();
  document = (await gateway.ask('GET', '/openapi.json', { token: null })).json();
});

afterAll(() => gateway.stop());

/** Every object in a document, with the way to it. */
const errorOf = (path: string): [type: string, schema: string] => {
  if (path.startsWith('/v2')) return ['application/json', '#/components/schemas/BatchJobsError'];
  if (path.startsWith('/api/v1')) return ['application/problem+json', '#/components/schemas/Problem'];
  if (path.startsWith('/api/pipelines')) return ['application/json', '#/components/schemas/PipelinesError'];
  return ['application/json', '#/components/schemas/OperationsError'];
};

function* objectsOf(value: unknown, path = '#'): Generator<[string, Json]> {
  if (typeof value !== 'object' || value === null) return;
  if (!Array.isArray(value)) yield [path, value as Json];
  for (const [key, below] of Object.entries(value)) yield* objectsOf(below, `${path}/${key}`);
}

const resolve = (root: unknown, ref: string) =>
  ref
    .split('/')
    .slice(1)
    .reduce<unknown>((at, part) => (at as Json | undefined)?.[part], root);

const operations = () =>
  Object.entries(document.paths).flatMap(([path, item]) =>
    Object.entries(item).map(([method, operation]) => ({ path, method, operation })),
  );

describe('given /openapi.json', () => {
  it('when it is read, then it is OpenAPI 3.1 and every reference in it leads somewhere', () => {
    expect(document.openapi).toMatch(/^3\.1\.\d+$/);
    expect(document.info).toMatchObject({
      title: 'Muster',
      version: expect.stringMatching(/^\d+\.\d+\.\d+$/) as string,
    });
    const refs = [...objectsOf(document)].flatMap(([, object]) =>
      typeof object['$ref'] === 'string' ? [object['$ref']] : [],
    );
    expect(refs.length).toBeGreaterThan(20);
    for (const ref of refs) expect(resolve(document, ref), ref).toBeTypeOf('object');
  });

  it('when the server has a route, then the document has it, and the other way round', () => {
    const served = gateway.running.app
      .get(RouteTable)
      .routes.filter(({ method, url }) => method !== 'HEAD' && !/^\/(docs|openapi)/.test(url))
      .map(({ method, url }) => `${method} ${url.replace(/:(\w+)/g, '{$1}')}`);
    const described = operations().map(({ path, method }) => `${method.toUpperCase()} ${path}`);
    expect(described.sort()).toEqual(served.sort());
    expect(described).toContain('POST /v2/{project_id}/productmgr/jobs');
    expect(described).toContain('POST /api/v1/devices/bulk');
    expect(described).toContain('GET /readyz');
  });

  it('when a schema is described, then it is a valid JSON Schema 2020-12', () => {
    const ajv = new Ajv2020({ strict: false });
    addFormats.default(ajv);
    ajv.addSchema({ $id: 'file:///openapi.json', ...document });
    for (const name of Object.keys(document.components.schemas)) {
      expect(() => ajv.compile({ $ref: `file:///openapi.json#/components/schemas/${name}` }), name).not.toThrow();
    }
    const fits = ajv.compile({ $ref: 'file:///openapi.json#/components/schemas/NewJob' });
    const job = (target_query: object) => ({
      job_name: 'a',
      job_type: 'node_upgrade',
      job_content: { target_type: 'node', target_query },
    });
    expect(fits(job({ not: { or: [{ online: true }] } }))).toBe(true);
    expect(fits(job({ not: { or: [{ colour: 'red' }] } }))).toBe(false);
  });

  it('when a route needs a token, then it says how and which refusals to expect in which shape', () => {
    for (const { path, method, operation } of operations()) {
      const where = `${method} ${path}`;
      expect(operation.tags, where).toHaveLength(1);
      expect(operation.responses, where).not.toEqual({});
      const inPath = operation.parameters.filter((parameter) => parameter.in === 'path').map(({ name }) => name);
      expect(inPath, where).toEqual([...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name));
      if (!isApi(path)) continue;
      expect(operation.summary, where).toBeTruthy();
      expect(operation.security, where).toHaveLength(2);
      const [type, schema] = errorOf(path);
      expect(operation.responses['401']?.content, where).toEqual({ [type]: { schema: { $ref: schema } } });
      const isParsed = operation.requestBody?.content['application/json'] !== undefined;
      for (const status of isParsed ? ['400', '413', '415'] : []) {
        expect(operation.responses, where).toHaveProperty(status);
      }
    }
    expect(document.components.securitySchemes).toMatchObject({
      bearer: { type: 'http', scheme: 'bearer' },
      token: { type: 'apiKey', in: 'header', name: 'X-Auth-Token' },
    });
  });

  it('when a body is taken, then its media type is the one that is enforced', () => {
    const bodyOf = (path: string) => document.paths[path]!['post']!.requestBody?.content;
    expect(bodyOf('/v2/{project_id}/productmgr/jobs')).toEqual({
      'application/json': { schema: { $ref: '#/components/schemas/NewJob' } },
    });
    expect(Object.keys(bodyOf('/api/v1/devices/bulk') ?? {})).toEqual(['application/x-ndjson']);
  });
});

describe('given /docs', () => {
  it('when it is opened, then every part of the page comes from the gateway itself', async () => {
    const page = await gateway.ask('GET', '/docs', { token: null });
    expect(page.headers.get('content-type')).toContain('text/html');
    const parts = [...page.text.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, part]) => part!);
    expect(parts.length).toBeGreaterThan(3);
    for (const part of parts) {
      const url = new URL(part, `${gateway.url}/docs`);
      expect(url.origin).toBe(gateway.url);
      expect((await gateway.ask('GET', url.pathname, { token: null })).status, part).toBe(200);
    }
  });
});

describe('given /asyncapi.json', () => {
  it('when it is read, then it is valid by the schema of AsyncAPI 3.0.0', async () => {
    const asyncApi = (await gateway.ask('GET', '/asyncapi.json', { token: null })).json<Json>();
    const ajv = new Ajv({ strict: false, meta: false, validateSchema: false });
    addFormats.default(ajv);
    const { schemas } = asyncApiSpecs as unknown as { schemas: Record<string, object> };
    const fits = ajv.compile(schemas['3.0.0']!);
    expect(fits(asyncApi), JSON.stringify(fits.errors)).toBe(true);
    expect(fits({ ...asyncApi, channels: { broken: { address: 5 } } })).toBe(false);
    for (const [path, object] of objectsOf(asyncApi)) {
      if (typeof object['$ref'] === 'string') expect(resolve(asyncApi, object['$ref']), path).toBeTypeOf('object');
    }
    expect(Object.keys(asyncApi['channels'] as Json)).toContain('job-event');
  });
});

describe('given the schema of the gateway', () => {
  it('when the migrations have run, then the entities say the same', async () => {
    const drift = await gateway.running.app.get(DataSource).driver.createSchemaBuilder().log();
    expect(drift.upQueries.map(({ query }) => query)).toEqual([]);
  });
});
