import { createHash, createHmac, randomBytes } from 'node:crypto';

// Tells a token from other secrets, for people and for scanners of leaked ones.
const PREFIX = 'mst_';

/** A new secret of 256 random bits. */
export const newSecret = (): string => PREFIX + randomBytes(32).toString('base64url');

/**
 * The secret of a create with an `Idempotency-Key`: the same caller asking again gets the same secret, although none is kept anywhere.
 * It follows from the caller's own secret, which is not kept either, and from the key, which is forgotten after a day.
 */
export const repeatableSecret = (callerSecret: string, key: string, id: string): string =>
  PREFIX + createHmac('sha256', callerSecret).update(`token\n${id}\n${key}`).digest('base64url');

/** What is kept of a secret, in hex. */
export const hashOf = (secret: string): string => createHash('sha256').update(secret).digest('hex');
