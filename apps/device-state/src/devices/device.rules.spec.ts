import { DomainError, MAX_DOCUMENT_BYTES, MAX_DOCUMENT_LEVELS, type JsonObject } from '@muster/contracts';
import { describe, expect, it } from 'vitest';
import { breachesOf, refuse } from './device.rules.js';

const nest = (levels: number): JsonObject =>
  Array.from({ length: levels - 1 }).reduce<JsonObject>((inner) => ({ inner }), {});

describe('the rules of a device beyond its schema', () => {
  it.each(['UTC', 'Europe/Paris', 'US/Pacific', 'Asia/Kolkata', 'Etc/GMT+5'])(
    'given time zone %s, then it may',
    (timezone) => {
      expect(breachesOf({ timezone })).toEqual([]);
    },
  );

  it.each(['', 'Mars/Olympus', '+01:00', '-0300', 'Europe/Paris ', 'local'])(
    'given time zone "%s", then the field is named',
    (timezone) => {
      expect(breachesOf({ timezone })).toEqual([{ field: 'timezone', message: 'is not an IANA time zone' }]);
    },
  );

  it('given a document at its limits, then it may; one step beyond, then the field is named', () => {
    const sized = (bytes: number) => ({ a: 'x'.repeat(bytes - '{"a":""}'.length) });
    expect(breachesOf({ attributes: nest(MAX_DOCUMENT_LEVELS), desired: sized(MAX_DOCUMENT_BYTES) })).toEqual([]);
    expect(breachesOf({ attributes: nest(MAX_DOCUMENT_LEVELS + 1), desired: sized(MAX_DOCUMENT_BYTES + 1) })).toEqual([
      { field: 'attributes', message: 'nests deeper than 32 levels' },
      { field: 'desired', message: 'is larger than 262144 bytes' },
    ]);
  });

  it('given a document that nests a hundred thousand levels, then it is refused like any other', () => {
    expect(breachesOf({ attributes: nest(100_000) })).toHaveLength(1);
  });

  it('given several breaches, then the refusal names the first and lists all', () => {
    const breaches = [
      ...breachesOf({ timezone: 'x' }, 'devices.3.device.'),
      ...breachesOf({ timezone: 'y' }, 'devices.5.device.'),
    ];
    expect(() => refuse(breaches)).toThrow(
      new DomainError('invalid', 'devices.3.device.timezone: is not an IANA time zone', { errors: breaches }),
    );
    expect(() => refuse([])).not.toThrow();
  });
});
