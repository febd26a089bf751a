import type { CommandRequest } from '@muster/contracts';

/** What a request asks beside a plain send; each is absent where it is not asked. */
export type Terms = Pick<
  CommandRequest,
  'steps_to' | 'schedule' | 'expires_at' | 'concurrent' | 'retry' | 'lock_owner' | 'proof_path' | 'holds_to'
>;

export function termsOf({
  steps_to,
  schedule,
  expires_at,
  concurrent,
  retry,
  lock_owner,
  proof_path,
  holds_to,
}: CommandRequest): Terms {
  return {
    ...(steps_to && { steps_to }),
    ...(schedule && { schedule }),
    ...(expires_at !== undefined && { expires_at }),
    ...(concurrent && { concurrent }),
    ...(retry && retry.length > 0 && { retry }),
    ...(lock_owner !== undefined && { lock_owner: lock_owner.toLowerCase() }),
    ...(proof_path !== undefined && { proof_path }),
    ...(holds_to && { holds_to }),
  };
}

/**
 * Whether a command may be sent the moment its lane is free: what waits for windows or locks, or goes beside others, takes its turn; what has
 * expired by `now` (epoch milliseconds) gets none.
 */
export const mayGoAtOnce = (
  { schedule, concurrent, lock_owner }: Terms,
  expiresAt: Date | null,
  now: number,
): boolean => !schedule && !concurrent && lock_owner === undefined && (expiresAt === null || expiresAt.getTime() > now);
