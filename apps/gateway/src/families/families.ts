import type { Family } from '../common/family.js';
import { Problem, PROBLEM_TYPE, problemOf } from '../common/problem.js';
import { batchJobs } from './batch-jobs/batch-jobs.dialect.js';
import { fleet } from './fleet/fleet.dialect.js';
import { operations } from './operations/operations.dialect.js';
import { pipelines } from './pipelines/pipelines.dialect.js';

export const families: readonly Family[] = [batchJobs, operations, pipelines, fleet];

/** Answers for every path that no family owns. */
const nobody: Family = {
  name: 'none',
  owns: () => true,
  tooLarge: '',
  errorType: PROBLEM_TYPE,
  errorSchema: Problem,
  render: problemOf,
};

/** Path of a request target, without its query. */
export const pathOf = (url: string): string => url.split('?', 1)[0]!;

/** The family that owns the path: it shapes every answer, also to what was asked in vain. */
export const familyOf = (path: string): Family => families.find((family) => family.owns(path)) ?? nobody;

/** Whether the path belongs to an API, and so needs a token. */
export const isApi = (path: string): boolean => familyOf(path) !== nobody;
