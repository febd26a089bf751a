import { invalidField } from '@muster/contracts';

/** @throws DomainError `invalid` naming the list that has no room for one more. */
export function checkRoom(field: string, of: string, count: number, most: number): void {
  if (count >= most) throw invalidField(field, `a ${of} has at most ${most}`);
}
