import { mergePatch, type JsonObject } from '@muster/contracts';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { byProject, mergeReported, newerThan, signOfHellos, signOfReports } from './sign.js';

const ID = '0190a000-0000-7000-8000-000000000001';

const said = <Payload>(payload: Payload, at: number, sequence: number) => ({
  project_id: 'demo',
  device_id: ID,
  payload,
  traceparent: undefined,
  at,
  sequence,
});

describe('signs of life', () => {
  it('given hellos of a device in another order than they were said, then each is a statement, in the order of time', () => {
    const sign = signOfHellos(ID, [said({ agent: 'new', reported: { b: 2 } }, 20, 1), said({ agent: 'old' }, 10, 7)]);
    expect(sign).toEqual({
      device_id: ID,
      statements: [
        { at: 10, sequence: 7, agent: { agent: 'old', version: '', boot_id: '' }, patch: null },
        { at: 20, sequence: 1, agent: { agent: 'new', version: '', boot_id: '' }, patch: { b: 2 } },
      ],
    });
  });

  it('given reports of one millisecond, then their sequence orders them', () => {
    const { statements } = signOfReports(ID, [
      said({ reported: { n: 2 } }, 10, 2),
      said({ reported: { n: 1 } }, 10, 1),
    ]);
    expect(statements.map(({ patch }) => patch)).toEqual([{ n: 1 }, { n: 2 }]);
  });

  it('given what was applied last, then that and what was said before it is old, by time first and by sequence within one time', () => {
    const { statements } = signOfReports(
      ID,
      [
        [9, 9],
        [10, 4],
        [10, 5],
        [10, 6],
        [11, 1],
      ].map(([at, sequence]) => said({ reported: {} }, at!, sequence!)),
    );
    const places = newerThan({ at: 10, sequence: 5 }, statements).map(({ at, sequence }) => [at, sequence]);
    expect(places).toEqual([
      [10, 6],
      [11, 1],
    ]);
    expect(newerThan(undefined, statements)).toEqual(statements);
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

  it('given a patch, then it is merged', () => {
    const object = fc.dictionary(
      fc.constantFrom('a', 'b'),
      fc.oneof(fc.nat(), fc.constant(null)),
    ) as fc.Arbitrary<JsonObject>;
    fc.assert(
      fc.property(object, object, (reported, patch) => {
        expect(mergeReported(reported, patch)).toEqual({ reported: mergePatch(reported, patch), fault: undefined });
      }),
    );
  });

  it('given a patch that makes the state too large or too deep, then it alone is left out and told', () => {
    const half = 'x'.repeat(150 * 1024);
    const deep = Array.from({ length: 5_000 }).reduce<JsonObject>((inner) => ({ inner }), {});
    const before = { a: half };
    expect(mergeReported(before, { b: half })).toEqual({ reported: before, fault: 'too_large' });
    expect(mergeReported(before, { deep })).toEqual({ reported: before, fault: 'too_deep' });
    expect(mergeReported(before, { c: 1 })).toEqual({ reported: { a: half, c: 1 }, fault: undefined });
  });
});
