import Type from 'typebox';
import type { Family } from '../../common/family.js';

export const OperationsError = Type.Object({
  errors: Type.Array(Type.Object({ field: Type.String(), message: Type.String() })),
  message: Type.String(),
  status: Type.Integer(),
});

/** Operations and device operations, `/api/v0`, and commands, `/api/commands/v0` (seed 001, interfaces §3). */
export const operations: Family = {
  name: 'operations',
  owns: (path) => /^\/api\/(commands\/)?v0(\/|$)/.test(path),
  tooLarge: 'name many devices by a query or a group',
  errorType: 'application/json',
  errorSchema: OperationsError,
  render: ({ status, message, errors }) => ({ errors, message, status }),
};
