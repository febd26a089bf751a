import { Ajv } from 'ajv';
import addFormats from 'ajv-formats';
import { describe, expect, it } from 'vitest';
import { entities, notices, rpcs, works } from './catalogue.js';
import { schemaOf, SERVICES } from './services.js';
import { BATCH_SIZE, workBatchSchema } from './work.js';

const unique = (values: readonly string[]) => expect([...new Set(values)].sort()).toEqual([...values].sort());
const TOKEN = /^[A-Za-z0-9_-]+$/;

describe('the catalogue', () => {
  it('given all contracts, then no two share a subject, a consumer or a name', () => {
    unique([...rpcs, ...works].map(({ subject }) => subject));
    unique(works.map(({ consumer }) => consumer));
    unique(entities.map(({ name }) => name));
    unique(SERVICES.map(schemaOf));
  });

  it.each(rpcs.map((rpc) => [rpc.subject, rpc] as const))(
    'given %s, then its subject follows from its service and method',
    (subject, rpc) => {
      expect(SERVICES).toContain(rpc.service);
      expect(rpc.method).toMatch(TOKEN);
      expect(subject).toBe(`muster.rpc.${rpc.service}.${rpc.method}`);
    },
  );

  it.each(works.map((work) => [work.subject, work] as const))(
    'given %s, then its subject and its durable consumer are names that the bus takes',
    (subject, work) => {
      expect(SERVICES).toContain(work.service);
      expect(work.verb).toMatch(TOKEN);
      expect(work.consumer).toMatch(TOKEN);
      expect(subject).toBe(`muster.work.${work.service}.${work.verb}`);
    },
  );

  it.each(entities.map((entity) => [entity.name, entity] as const))(
    'given %s, then its name and states fit into a subject',
    (name, entity) => {
      for (const token of [name, ...entity.states]) expect(token).toMatch(TOKEN);
      unique(entity.states);
      // Types are told apart in lower case.
      unique(entity.states.map((state) => state.toLowerCase()));
    },
  );

  it('given all notices, then each is of an entity of the catalogue, and no two are the same', () => {
    unique(notices.map(({ entity, name }) => `${entity.name}.${name}`));
    for (const { entity } of notices) expect(entities).toContain(entity);
  });

  it.each(notices.map((notice) => [`${notice.entity.name}.${notice.name}`, notice] as const))(
    'given %s, then its word fits into a subject and is none of the states of its entity',
    (_about, { entity, name }) => {
      expect(name).toMatch(TOKEN);
      unique([name, ...entity.states].map((word) => word.toLowerCase()));
    },
  );

  it.each(rpcs.map((rpc) => [rpc.subject, rpc] as const))(
    'given %s, then question and answer are JSON Schemas',
    (_subject, { request, response }) => {
      const ajv = new Ajv();
      addFormats.default(ajv);
      expect(() => [ajv.compile(request), ajv.compile(response)]).not.toThrow();
    },
  );

  it.each(works.map((work) => [work.subject, work] as const))(
    'given a batch of %s with too many items or a wrong project, then its schema refuses it',
    (_subject, work) => {
      const ajv = new Ajv({ allErrors: true });
      addFormats.default(ajv);
      const check = ajv.compile(workBatchSchema(work));
      const wrongFields = (batch: object) => {
        check(batch);
        return (check.errors ?? [])
          .filter(({ instancePath }) => !/^\/(head|items\/)/.test(instancePath))
          .map(({ instancePath }) => instancePath);
      };
      const items = Array.from({ length: BATCH_SIZE }, () => ({}));
      expect(wrongFields({ project_id: 'acme', head: {}, items })).toEqual([]);
      expect(wrongFields({ project_id: 'Acme', head: {}, items: [...items, {}] })).toEqual(['/project_id', '/items']);
    },
  );
});
