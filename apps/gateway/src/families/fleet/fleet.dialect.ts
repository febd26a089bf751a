import type { Family } from '../../common/family.js';
import { Problem, PROBLEM_TYPE, problemOf } from '../../common/problem.js';

/** The fleet, `/api/v1` (interfaces §6). */
export const fleet: Family = {
  name: 'fleet',
  owns: (path) => /^\/api\/v1(\/|$)/.test(path),
  tooLarge: 'many devices go to /api/v1/devices/bulk, a line each',
  errorType: PROBLEM_TYPE,
  errorSchema: Problem,
  render: problemOf,
};
