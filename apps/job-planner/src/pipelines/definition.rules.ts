import { invalidField } from '@muster/contracts';

/** @throws DomainError `invalid` naming the list that has no room for one more. */
export function checkRoom(field: string, of: string, count: number, most: number): void {
  if (count >= most) throw invalidField(field, `a ${of} has at most ${most}`);
}

/** Refuses another value for what stays; undefined: not named. @throws DomainError `invalid` naming the field. */
export function checkKept<Row extends object>(
  row: Row,
  named: { [Field in keyof Row]?: Row[Field] | undefined },
): void {
  for (const field of Object.keys(named) as (keyof Row & string)[]) {
    if (named[field] !== undefined && named[field] !== row[field]) throw invalidField(field, 'cannot be changed');
  }
}
