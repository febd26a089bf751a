import { describe, expect, it } from 'vitest';
import { isAdminToken } from './admin-token.js';

describe('isAdminToken', () => {
  it.each([['!'.repeat(16)], ['~'.repeat(512)]])('given %s, then it may be the token', (text) => {
    expect(isAdminToken(text)).toBe(true);
  });

  it.each([['x'.repeat(15)], ['x'.repeat(513)], ['two words, long enough'], [`${'x'.repeat(16)}\n`], ['é'.repeat(16)]])(
    'given %j, then it may not',
    (text) => {
      expect(isAdminToken(text)).toBe(false);
    },
  );
});
