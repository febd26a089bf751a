import { DeviceQuery, Job, NewJob } from '@muster/contracts';
import Type from 'typebox';
import { describe, expect, it } from 'vitest';
import { namedSchemas, toOpenApi } from './schemas.js';

describe('given the schemas of the contracts', () => {
  it('when one has a name, then it is referred to, at any depth and also when it is optional', () => {
    expect(toOpenApi(Job)).toEqual({ $ref: '#/components/schemas/Job' });
    expect(toOpenApi(Type.Object({ jobs: Type.Array(Job) }))).toMatchObject({
      properties: { jobs: { items: { $ref: '#/components/schemas/Job' } } },
    });
    const job = JSON.stringify(namedSchemas()['NewJob']);
    expect(job).toContain('"rollout":{"$ref":"#/components/schemas/Rollout"}');
    expect(toOpenApi(NewJob)).toEqual({ $ref: '#/components/schemas/NewJob' });
  });

  it('when one refers to itself, then it does so by its name in the document', () => {
    expect(toOpenApi(DeviceQuery)).toEqual({ $ref: '#/components/schemas/DeviceQuery' });
    expect(namedSchemas()['DeviceQuery']).toMatchObject({
      type: 'object',
      properties: { not: { $ref: '#/components/schemas/DeviceQuery' } },
    });
  });

  it('when they are written, then nothing is left that only the library understands', () => {
    expect(JSON.stringify(namedSchemas())).not.toMatch(/\$defs|\$id|"\$ref":"(?!#\/components\/schemas\/)|~kind/);
  });
});
