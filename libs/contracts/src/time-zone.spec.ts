import { describe, expect, it } from 'vitest';
import { isTimeZone } from './time-zone.js';

describe('isTimeZone', () => {
  it.each([['Europe/Paris'], ['UTC'], ['US/Pacific']])('given %s, then it is one', (name) => {
    expect(isTimeZone(name)).toBe(true);
  });

  it.each([['+01:00'], ['-0530'], ['Mars/Base'], ['']])('given "%s", then it is none', (name) => {
    expect(isTimeZone(name)).toBe(false);
  });
});
