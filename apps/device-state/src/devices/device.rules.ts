import {
  DOCUMENT_FAULTS,
  documentFault,
  DomainError,
  isTimeZone,
  type FieldError,
  type JsonObject,
} from '@muster/contracts';

/** The part of a device that rules beyond its schema speak of. */
interface Ruled {
  timezone?: string;
  attributes?: JsonObject;
  desired?: JsonObject;
}

/** Lists what a schema cannot say is wrong with a new or changed device; `at` leads each field, e.g. `devices.3.device.`. */
export function breachesOf(device: Ruled, at = ''): FieldError[] {
  const breaches: FieldError[] = [];
  if (device.timezone !== undefined && !isTimeZone(device.timezone))
    breaches.push({ field: `${at}timezone`, message: 'is not an IANA time zone' });
  for (const name of ['attributes', 'desired'] as const) {
    const document = device[name];
    const fault = document && documentFault(document);
    if (fault) breaches.push({ field: `${at}${name}`, message: DOCUMENT_FAULTS[fault] });
  }
  return breaches;
}

/** @throws DomainError `invalid` naming the first of the breaches; `errors` has them all. */
export function refuse(breaches: [FieldError]): never;
export function refuse(breaches: FieldError[]): void;
export function refuse(breaches: FieldError[]): void {
  const [first] = breaches;
  if (first) throw new DomainError('invalid', `${first.field}: ${first.message}`, { errors: breaches });
}

/** @throws DomainError `invalid` naming the field. */
export const refuseField = (field: string, message: string): never => refuse([{ field, message }]);
