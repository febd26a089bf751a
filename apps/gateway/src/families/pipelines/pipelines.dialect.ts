import { MAX_ADDED_TARGETS } from '@muster/contracts';
import Type from 'typebox';
import type { Family } from '../../common/family.js';

export const PipelinesError = Type.Object({
  code: Type.Integer({ description: 'the status' }),
  message: Type.String(),
  content: Type.Object({
    errors: Type.Array(Type.Object({ field: Type.String(), message: Type.String() })),
  }),
});

/** Pipelines and what they consist of, `/api/pipelines/v0` (seed 000, interfaces §2). */
export const pipelines: Family = {
  name: 'pipelines',
  owns: (path) => /^\/api\/pipelines\/v0(\/|$)/.test(path),
  tooLarge: `add at most ${MAX_ADDED_TARGETS} targets at once`,
  errorType: 'application/json',
  errorSchema: PipelinesError,
  render: ({ status, message, errors }) => ({ code: status, message, content: { errors } }),
};
