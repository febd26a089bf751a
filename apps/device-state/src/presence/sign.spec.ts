import type { JsonObject } from '@muster/contracts';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { mergePatch } from '../devices/merge-patch.js';
import { byProject, mergeReported, signOfHellos } from './sign.js';

const ID = '0190a000-0000-7000-8000-000000000001';

const hello = (payload: { agent?: string; reported?: JsonObject }, sequence = 1) => ({
  project_id: 'demo',
  device_id: ID,
  payload,
  traceparent: undefined,
  sequence,
});

describe('signs of life', () => {
  it('given two hellos of a device, then the last says which agent runs and both change the reported state', () => {
    const sign = signOfHellos(ID, [
      hello({ agent: 'old', reported: { a: 1 } }),
      hello({ agent: 'new', reported: { b: 2 } }),
    ]);
    expect(sign).toEqual({
      device_id: ID,
      agent: { agent: 'new', version: '', boot_id: '' },
      patches: [{ a: 1 }, { b: 2 }],
    });
  });

  it('given messages of several devices, then each is grouped under its project in the order of arrival', () => {
    const message = (project_id: string, device_id: string, n: number) => ({ project_id, device_id, n });
    const grouped = byProject([message('p', 'a', 1), message('q', 'a', 2), message('p', 'b', 3), message('p', 'a', 4)]);
    const numbers = [...grouped].map(([project, devices]) => [
      project,
      [...devices].map(([device, said]) => [device, said.map(({ n }) => n)]),
    ]);
    expect(numbers).toEqual([
      [
        'p',
        [
          ['a', [1, 4]],
          ['b', [3]],
        ],
      ],
      ['q', [['a', [2]]]],
    ]);
  });

  it('given patches, then they merge in their order', () => {
    const object = fc.dictionary(
      fc.constantFrom('a', 'b'),
      fc.oneof(fc.nat(), fc.constant(null)),
    ) as fc.Arbitrary<JsonObject>;
    fc.assert(
      fc.property(object, fc.array(object), (reported, patches) => {
        expect(mergeReported(reported, patches)).toEqual({
          reported: patches.reduce(mergePatch, reported),
          faults: [],
        });
      }),
    );
  });

  it('given a patch that makes the state too large or too deep, then it alone is left out and told', () => {
    const half = 'x'.repeat(150 * 1024);
    const deep = Array.from({ length: 5_000 }).reduce<JsonObject>((inner) => ({ inner }), {});
    const { reported, faults } = mergeReported({ a: half }, [{ b: half }, { deep }, { c: 1 }]);
    expect(reported).toEqual({ a: half, c: 1 });
    expect(faults).toEqual(['too_large', 'too_deep']);
  });
});
