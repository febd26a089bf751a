import { describe, expect, it } from 'vitest';
import { placeText, readPlace, readTimedPlace } from './place.js';

const ID = '01890000-0000-7000-8000-000000000001';
const TIME = '2025-01-01T00:00:00.000001Z';

describe('a place in a list', () => {
  it.each([TIME, null])('given the time %s, then what was written is read', (time) => {
    const place = { time, id: ID };
    expect(readPlace(placeText(place))).toEqual(place);
  });

  const text = (plain: string) => Buffer.from(plain).toString('base64url');
  it.each([
    ['', 'nothing'],
    [ID, 'an id'],
    [text(`2025-01-01T00:00:00.001Z ${ID}`), 'milliseconds'],
    [text(`${TIME} x`), 'no id'],
    [text(`${TIME} ${ID} more`), 'more'],
  ])('given %s, which is %s, then it is refused naming `after`', (after) => {
    expect(() => readPlace(after)).toThrow('after: is not the next of a page of this list');
  });

  it('given a place without a time, then a list in which everything has one refuses it', () => {
    expect(() => readTimedPlace(placeText({ time: null, id: ID }))).toThrow('after: ');
  });
});
