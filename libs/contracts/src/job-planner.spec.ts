import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { NewJob } from './job-planner.js';
import { validate } from './schema.js';

const LETTERS = [...'abcdefghijklmnopqrstuvwxyz0123456789'];
const letter = fc.constantFrom(...LETTERS);
const inner = fc.constantFrom(...LETTERS, '-');
const word = (from: number, to: number) =>
  fc
    .tuple(letter, fc.array(inner, { minLength: Math.max(from - 2, 0), maxLength: to - 2 }), letter)
    .map(([first, middle, last]) => [first, ...middle, last].join(''));

const accepts = (job_name: unknown) =>
  validate(NewJob, { job_name, job_type: 'node_upgrade', job_content: { target_type: 'node' } }).length === 0;

describe('a job name', () => {
  it('given 1 to 26 of a-z, 0-9 and -, with no hyphen at an end, then it is taken', () => {
    fc.assert(fc.property(fc.oneof(letter, word(2, 26)), (name) => accepts(name)));
    expect(accepts('a'.repeat(26))).toBe(true);
  });

  it('given a hyphen at an end, then it is refused', () => {
    fc.assert(
      fc.property(word(2, 24), fc.constantFrom('before', 'behind', 'both'), (name, where) => {
        const hyphened = (where === 'behind' ? '' : '-') + name + (where === 'before' ? '' : '-');
        expect(accepts(hyphened)).toBe(false);
      }),
    );
    expect(accepts('-')).toBe(false);
  });

  it('given none or more than 26 characters, then it is refused', () => {
    fc.assert(fc.property(word(27, 60), (name) => !accepts(name)));
    expect(accepts('')).toBe(false);
  });

  it('given any other character anywhere, then it is refused', () => {
    const point = fc.oneof(fc.nat({ max: 0x7f }), fc.nat({ max: 0x10ffff }));
    const other = point.map((code) => String.fromCodePoint(code)).filter((char) => !/^[a-z0-9-]$/.test(char));
    fc.assert(
      fc.property(word(2, 12), other, word(2, 12), fc.nat(2), (before, char, after, place) => {
        expect(accepts([char + after, before + char + after, before + char][place])).toBe(false);
      }),
      { examples: [['ab', '\n', 'cd', 2]] },
    );
  });

  it.each([undefined, null, 5, ['a']])('given %j, then it is refused', (name) => {
    expect(accepts(name)).toBe(false);
  });
});
