import { DomainError, rolloutFaults, type Rollout, type RolloutTerms } from '@muster/contracts';
import { rolloutWindowFaults } from '@muster/schedule';

/** @throws DomainError `invalid` naming the fields, where a rollout cannot be carried out as it stands. */
export function checkRollout(rollout: Rollout = {}, terms: Omit<RolloutTerms, 'at'> = {}): void {
  const now = Date.now();
  const at = 'rollout.';
  const faults = rolloutFaults(rollout, now, { ...terms, at });
  const errors = faults.length > 0 ? faults : rolloutWindowFaults(rollout, now, at);
  const [fault] = errors;
  if (fault) throw new DomainError('invalid', `${fault.field}: ${fault.message}`, { errors });
}
