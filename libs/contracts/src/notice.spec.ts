import { Ajv } from 'ajv';
import addFormats from 'ajv-formats';
import { CloudEvent } from 'cloudevents';
import { describe, expect, it } from 'vitest';
import { jobEntity, jobProgress } from './job-planner.js';
import { noticeEventSchema, noticeSubject, noticeToCloudEvent, type Notice } from './notice.js';
import type { Progress } from './rollout.js';

const JOB = '0190a000-0000-7000-8000-000000000001';

const progress: Progress = {
  targeted: 10,
  pending: 3,
  in_flight: 2,
  succeeded: 5,
  failed: 0,
  timed_out: 0,
  rejected: 0,
  cancelled: 0,
  unknown: 0,
  offline: 0,
  percent: 50,
  rate_per_second: 0.4,
  eta: { earliest: '2026-01-01T00:00:05.000Z', latest: '2026-01-01T00:00:09.000Z' },
  wave: { number: 1, of: 2 },
  waiting_for: 'in_flight',
};

const notice: Notice = { entity: 'job', name: 'progress', id: JOB, number: 7, at: 1_700_000_000_000, data: progress };

type Made = Record<string, unknown> & { data: object };

const made = (of: Notice) => JSON.parse(noticeToCloudEvent('job-planner', 'acme', of)) as Made;

const check = () => {
  const ajv = new Ajv({ allErrors: true });
  addFormats.default(ajv);
  return ajv.compile(noticeEventSchema(jobProgress));
};

describe('the progress of a job', () => {
  it('given a notice of it, then its event is a CloudEvent 1.0, fits the published schema, and has no version of the job', () => {
    const fits = check();
    const event = made(notice);
    expect(fits(event), JSON.stringify(fits.errors)).toBe(true);
    expect(new CloudEvent(event).validate()).toBe(true);
    expect(event).toEqual({
      specversion: '1.0',
      id: `job.progress.${JOB}.7`,
      source: '/muster/job-planner',
      type: 'io.muster.job.progress',
      subject: JOB,
      time: '2023-11-14T22:13:20.000Z',
      datacontenttype: 'application/json',
      dataschema: 'urn:muster:schema:job.progress',
      data: { project_id: 'acme', id: JOB, number: 7, ...progress },
    });
    expect(noticeSubject('acme', notice)).toBe(`muster.evt.acme.job.progress.${JOB}`);
  });

  it('given a trace, then the event carries it', () => {
    const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
    expect(made({ ...notice, traceparent })).toMatchObject({ traceparent });
    expect(check()(made({ ...notice, traceparent: 'none' }))).toBe(false);
  });

  it('given an event with a piece missing or wrong, then the schema refuses it', () => {
    const fits = check();
    const event = made(notice);
    for (const wrong of [
      { ...event, type: `io.muster.job.${jobEntity.states[0]}` },
      { ...event, dataschema: 'urn:muster:schema:job' },
      { ...event, data: { ...event.data, number: 0 } },
      { ...event, data: { ...event.data, percent: undefined } },
      { ...event, data: { ...event.data, wave: 'first' } },
    ])
      expect(fits(JSON.parse(JSON.stringify(wrong)))).toBe(false);
  });
});
