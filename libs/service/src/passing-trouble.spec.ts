import { DomainError, type DomainErrorKind } from '@muster/contracts';
import { describe, expect, it } from 'vitest';
import { isPassing } from './passing-trouble.js';

const refusals: DomainErrorKind[] = [
  'invalid',
  'unauthenticated',
  'forbidden',
  'not_found',
  'conflict',
  'mismatch',
  'too_large',
];

describe('isPassing', () => {
  it('given a service that does not answer, then the message is not to blame', () => {
    expect(isPassing(new DomainError('unavailable', 'device-state does not answer'))).toBe(true);
  });

  it.each(refusals)('given a refusal (%s), then the message is to blame', (kind) => {
    expect(isPassing(new DomainError(kind, 'no'))).toBe(false);
  });

  it('given an error of the database, then it depends on whose trouble it is', () => {
    expect(isPassing(Object.assign(new Error('deadlock detected'), { code: '40P01' }))).toBe(true);
    expect(isPassing(Object.assign(new Error('duplicate key'), { code: '23505' }))).toBe(false);
  });

  it('given a mistake in the handler, then the message is parked in the end', () => {
    expect(isPassing(new TypeError('undefined is not a function'))).toBe(false);
  });
});
