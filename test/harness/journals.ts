import { SERVICES, schemaOf } from '@muster/contracts';

/** The schemas that have a journal. */
export const JOURNALS = SERVICES.filter((service) => service !== 'gateway').map(schemaOf);

/** SQL: a row, with `what` it is, for each journal row that is not in its stream, and for each journal of which something is told again. */
export const UNTOLD = JOURNALS.map(
  (schema) =>
    `SELECT 'journal rows of ${schema}' AS what FROM ${schema}.journal WHERE NOT published
     UNION ALL SELECT 'retellings of ${schema}' FROM ${schema}.retelling WHERE after < up_to`,
).join(' UNION ALL ');
