import { DomainError, type DomainErrorKind } from '@muster/contracts';
import { HttpException } from '@nestjs/common';
import { describe, expect, it } from 'vitest';
import { ERROR_CODES } from '../families/batch-jobs/batch-jobs.dialect.js';
import { familyOf, isApi } from '../families/families.js';
import { Refusal, toRefusal } from './refusal.js';

const KINDS: Record<DomainErrorKind, number> = {
  invalid: 400,
  unauthenticated: 401,
  forbidden: 403,
  not_found: 404,
  conflict: 409,
  too_large: 413,
  mismatch: 422,
  unavailable: 503,
};

describe('given something that was thrown', () => {
  it.each(Object.entries(KINDS))(
    'when it is a refusal of kind %s, then its status is %i and its message stays',
    (kind, status) => {
      const refusal = toRefusal(new DomainError(kind as DomainErrorKind, 'why'));
      expect(refusal).toMatchObject({ status, message: 'why' });
    },
  );

  it('when it is unexpected, then nothing of its cause is told', () => {
    expect(toRefusal(new Error('password=secret'))).toMatchObject({ status: 500, message: 'internal error' });
    expect(toRefusal('text')).toMatchObject({ status: 500, message: 'internal error' });
  });

  it('when the database is away, then it is 503', () => {
    const error = Object.assign(new Error('connect ECONNREFUSED 127.0.0.1:5432'), { code: 'ECONNREFUSED' });
    expect(toRefusal(error)).toMatchObject({ status: 503, message: 'the database does not answer' });
  });

  it('when the HTTP server refused, then its status stays', () => {
    expect(toRefusal(new HttpException('too large', 413))).toMatchObject({ status: 413 });
    expect(toRefusal(Object.assign(new Error('bad url'), { statusCode: 400 }))).toMatchObject({ status: 400 });
  });
});

describe('given a refusal and a path', () => {
  const refusal = new Refusal(400, 'limit: bad', [{ field: 'limit', message: 'bad' }]);

  it('when the path is of the batch jobs, then it has their shape', () => {
    const body = { error_code: 'MUS.010400', error_msg: 'limit: bad' };
    expect(familyOf('/v2/demo/productmgr/jobs').render(refusal)).toEqual(body);
    expect(familyOf('/v2/demo/productmgr').render(refusal)).toEqual(body);
  });

  it('when the path is of the fleet or of nobody, then it is a problem document', () => {
    const problem = {
      type: 'about:blank',
      title: 'Bad Request',
      status: 400,
      detail: 'limit: bad',
      errors: refusal.errors,
    };
    expect(familyOf('/api/v1/devices').render(refusal)).toEqual(problem);
    expect(familyOf('/elsewhere').render(new Refusal(404, 'no'))).toEqual({
      type: 'about:blank',
      title: 'Not Found',
      status: 404,
      detail: 'no',
    });
  });

  it('when a path only looks like one of a family, then it is of nobody', () => {
    for (const path of ['/api/v11/x', '/v2/productmgr/jobs', '/v2/demo/productmgrs', '/healthz', '/']) {
      expect(isApi(path), path).toBe(false);
    }
  });

  it('when a batch jobs code is documented, then it tells its status, and one that is not falls back to its class', () => {
    for (const [status, code] of Object.entries(ERROR_CODES)) expect(code).toBe(`MUS.01${status.padStart(4, '0')}`);
    const { render } = familyOf('/v2/demo/productmgr/jobs');
    expect(render(new Refusal(414, ''))).toMatchObject({ error_code: 'MUS.010400' });
    expect(render(new Refusal(502, ''))).toMatchObject({ error_code: 'MUS.010500' });
  });
});
