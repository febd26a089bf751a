import { describe, expect, it } from 'vitest';
import { offsetOf, offsetPage } from './offset.page.js';

const URL = '/api/v0/operations/?state=80&offset=20&limit=20';

describe('a list that is paged by offset', () => {
  it('given a page in the middle, then its neighbours repeat what was asked for', () => {
    const results = Array.from({ length: 20 }, () => 'a');
    const page = offsetPage(URL, { limit: 20, offset: 20 }, { count: 50, results });
    expect(page).toEqual({
      count: 50,
      previous: '/api/v0/operations/?state=80&offset=0&limit=20',
      next: '/api/v0/operations/?state=80&offset=40&limit=20',
      results,
    });
  });

  it('given a page that is shorter than asked, then the next begins after what it has; given nothing, then there is none', () => {
    const place = { limit: 20, offset: 20 };
    expect(offsetPage('/a', place, { count: 50, results: ['a', 'b'] })).toMatchObject({
      next: '/a?limit=20&offset=22',
    });
    expect(offsetPage('/a', place, { count: 50, results: [] })).toMatchObject({ next: null });
  });

  it('given the only page, then there is no other', () => {
    expect(offsetPage('/a', offsetOf({}), { count: 20, results: [] })).toMatchObject({ previous: null, next: null });
  });

  it('given an offset that is less than a page, then the page before begins at the beginning', () => {
    const page = offsetPage('/a', { limit: 20, offset: 5 }, { count: 25, results: [] });
    expect(page).toMatchObject({ previous: '/a?limit=20&offset=0', next: null });
  });
});
