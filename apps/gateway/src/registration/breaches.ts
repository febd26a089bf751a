import type { DomainError, FieldError } from '@muster/contracts';

/** What a refused registration says of each device: by its place in the request, the fields spelled as the device's own. */
export function breachesByDevice(error: DomainError): Map<number, FieldError[]> {
  const breaches = new Map<number, FieldError[]>();
  for (const { field, message } of error.details.errors ?? []) {
    const [, place, own] = /^devices\.(\d+)\.(?:device\.)?(.*)$/.exec(field) ?? [];
    if (place === undefined) continue;
    const at = Number(place);
    breaches.set(at, [...(breaches.get(at) ?? []), { field: own ?? '', message }]);
  }
  return breaches;
}

/** One line for all that is wrong. */
export const summaryOf = (breaches: readonly FieldError[]): string =>
  breaches.map(({ field, message }) => `${field}: ${message}`).join('; ');
