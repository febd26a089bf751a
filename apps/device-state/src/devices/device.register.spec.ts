import { DomainError } from '@muster/contracts';
import { describe, expect, it } from 'vitest';
import { firstOfEachName, registrationResults } from './device.register.js';

const registration = (id: string, name: string) => ({ id, device: { name } });

describe('registering devices', () => {
  it('given one name twice in a request, then only the first is tried, and the second is told where it is', () => {
    const request = [registration('1', 'a'), registration('2', 'b'), registration('3', 'a')];
    expect(firstOfEachName(request).map(({ id }) => id)).toEqual(['1', '2']);
    expect(
      registrationResults(
        request,
        new Set(['1', '2']),
        new Map([
          ['a', '1'],
          ['b', '2'],
        ]),
      ),
    ).toEqual([
      { id: '1', name: 'a', status: 'created' },
      { id: '2', name: 'b', status: 'created' },
      { id: '1', name: 'a', status: 'exists' },
    ]);
  });

  it('given a name that another device has, then it exists with that id', () => {
    expect(registrationResults([registration('9', 'a')], new Set(), new Map([['a', '1']]))).toEqual([
      { id: '1', name: 'a', status: 'exists' },
    ]);
  });

  it('given an id that another device has, then it is a conflict', () => {
    expect(() => registrationResults([registration('9', 'new')], new Set(), new Map())).toThrow(
      new DomainError('conflict', `devices.0.id: 9 is another device's`),
    );
  });
});
