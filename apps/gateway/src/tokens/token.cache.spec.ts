import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { TokenCache } from './token.cache.js';
import { hashOf } from './token.secret.js';
import type { SignedInToken, TokenStore } from './token.store.js';

const row = (change: Partial<SignedInToken> = {}) =>
  ({
    actor_id: 'actor',
    project: 'demo',
    project_uuid: 'uuid',
    role: 'viewer',
    expires_at: null,
    ...change,
  }) as SignedInToken;

const findBySecret = vi.fn<TokenStore['findBySecret']>();
const cacheOver = () => new TokenCache({ findBySecret } as unknown as TokenStore);

beforeEach(() => vi.useFakeTimers());
afterEach(() => {
  vi.useRealTimers();
  findBySecret.mockReset();
});

describe('given tokens that are looked up', () => {
  it('when one is used often, then the database is asked once in five seconds, by hash alone', async () => {
    findBySecret.mockResolvedValue(row());
    const cache = cacheOver();
    await Promise.all(Array.from({ length: 50 }, () => cache.find('secret')));
    expect(findBySecret.mock.calls).toEqual([[hashOf('secret')]]);
    vi.advanceTimersByTime(5_001);
    expect(await cache.find('secret')).toMatchObject({ actorId: 'actor', project: 'demo', projectUuid: 'uuid' });
    expect(findBySecret).toHaveBeenCalledTimes(2);
  });

  it('when one expires while it is remembered, then it is not found', async () => {
    findBySecret.mockResolvedValue(row({ expires_at: new Date(Date.now() + 1_000) }));
    const cache = cacheOver();
    expect(await cache.find('secret')).toBeDefined();
    vi.advanceTimersByTime(1_000);
    expect(await cache.find('secret')).toBeUndefined();
  });

  it('when the database was away, then the next look asks again', async () => {
    findBySecret.mockRejectedValueOnce(new Error('away')).mockResolvedValue(row());
    const cache = cacheOver();
    await expect(cache.find('secret')).rejects.toThrow('away');
    expect(await cache.find('secret')).toBeDefined();
  });

  it('when one is forgotten, then it is looked up again', async () => {
    findBySecret.mockResolvedValueOnce(row()).mockResolvedValue(undefined);
    const cache = cacheOver();
    await cache.find('secret');
    cache.forget(hashOf('secret'));
    expect(await cache.find('secret')).toBeUndefined();
  });

  it('when more are tried than are remembered, then the first ones go', async () => {
    findBySecret.mockResolvedValue(undefined);
    const cache = cacheOver();
    for (let at = 0; at <= 10_000; at++) await cache.find(`secret-${at}`);
    findBySecret.mockClear();
    await cache.find('secret-10000');
    expect(findBySecret).not.toHaveBeenCalled();
    await cache.find('secret-0');
    expect(findBySecret).toHaveBeenCalledTimes(1);
  });
});
