import { describe, expect, it } from 'vitest';
import { DomainError, renamed } from './errors.js';

describe('given a refusal by another service', () => {
  it('when its field is called otherwise here, then message and list say so, and what it is stays', () => {
    const errors = [
      { field: 'query.group', message: 'no group x' },
      { field: 'name', message: 'is required' },
    ];
    const there = new DomainError('invalid', 'query.group: no group x', { errors });
    const here = renamed(there, 'query.', '');
    expect(here).toBeInstanceOf(DomainError);
    expect(here).toMatchObject({ kind: 'invalid', message: 'group: no group x' });
    expect(here.details.errors).toEqual([{ field: 'group', message: 'no group x' }, errors[1]]);
  });

  it('when it names no field, or is none, then it is as it was', () => {
    const away = new DomainError('unavailable', 'device-state does not answer');
    expect(renamed(away, 'query', 'q')).toEqual(away);
    const error = new Error('query: x');
    expect(renamed(error, 'query', 'q')).toBe(error);
  });
});
