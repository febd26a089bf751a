import { fromSeed } from '@nats-io/jwt';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { userSeed } from './seed.js';

const text = (seed: string) => new TextEncoder().encode(seed);

describe('the seed of a user', () => {
  it('given any 32 bytes, then the library takes it for a user’s, and it comes out as it went in', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 32, maxLength: 32 }), (raw) => {
        const seed = userSeed(raw);
        const pair = fromSeed(text(seed));
        expect(seed).toMatch(/^SU[A-Z2-7]{56}$/);
        expect(pair.getPublicKey()).toMatch(/^U/);
        expect(new TextDecoder().decode(pair.getSeed())).toBe(seed);
      }),
      { numRuns: 50 },
    );
  });

  it('given other bytes, then another user', () => {
    const publicKey = (first: number) => fromSeed(text(userSeed(new Uint8Array(32).fill(first, 0, 1)))).getPublicKey();
    expect(publicKey(1)).not.toBe(publicKey(2));
  });

  it('given too few or too many bytes, then it is refused', () => {
    expect(() => userSeed(new Uint8Array(31))).toThrow('a seed has 32 bytes, not 31');
  });
});
