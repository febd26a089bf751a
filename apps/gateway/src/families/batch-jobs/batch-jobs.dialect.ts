import { MAX_LISTED_TARGETS } from '@muster/contracts';
import Type from 'typebox';
import type { Family } from '../../common/family.js';

/** The documented codes of the family: `MUS.01` and four digits (interfaces §1). */
export const ERROR_CODES: Readonly<Record<number, string>> = {
  400: 'MUS.010400',
  401: 'MUS.010401',
  403: 'MUS.010403',
  404: 'MUS.010404',
  405: 'MUS.010405',
  409: 'MUS.010409',
  413: 'MUS.010413',
  415: 'MUS.010415',
  422: 'MUS.010422',
  500: 'MUS.010500',
  503: 'MUS.010503',
};

const codeOf = (status: number) => ERROR_CODES[status] ?? ERROR_CODES[status < 500 ? 400 : 500];

export const BatchJobsError = Type.Object({
  error_code: Type.String({ enum: Object.values(ERROR_CODES), description: 'MUS.01 and the status in four digits' }),
  error_msg: Type.String(),
});

/** Batch jobs, `/v2/{project_id}/productmgr` (seed 003, interfaces §1). */
export const batchJobs: Family = {
  name: 'batch-jobs',
  owns: (path) => /^\/v2\/[^/]+\/productmgr(\/|$)/.test(path),
  tooLarge: `a job lists at most ${MAX_LISTED_TARGETS} targets, use target_query for more`,
  errorType: 'application/json',
  errorSchema: BatchJobsError,
  render: ({ status, message }) => ({ error_code: codeOf(status), error_msg: message }),
};
