import { NewCommandRequest, NewJob, NewOperation, NewPipelineOperation, NewStage, validate } from '@muster/contracts';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { planRequest, type Request } from './plan.ts';
import { Random } from './random.ts';

const devices = Array.from({ length: 300 }, (_, i) => ({
  id: `00000000-0000-7000-8000-${String(i).padStart(12, '0')}`,
  name: `chaos-fast-${String(i).padStart(5, '0')}`,
}));

const plan = (seed: number, count: number): Request[] => {
  const random = new Random(seed, 'load');
  return Array.from({ length: count }, (_, number) => planRequest(random, number, { devices, prefix: 'chaos' }));
};

describe('the plan of the load', () => {
  it('given the same seed, then the requests are the same', () => {
    fc.assert(fc.property(fc.nat(), (seed) => void expect(plan(seed, 50)).toEqual(plan(seed, 50))));
  });

  it('given any seed, then every job is one that the contract takes, with a name of its own', () => {
    fc.assert(
      fc.property(fc.nat(), (seed) => {
        const jobs = plan(seed, 60).flatMap((request) => (request.kind === 'job' ? [request.job] : []));
        expect(jobs.flatMap((job) => validate(NewJob, job))).toEqual([]);
        expect(new Set(jobs.map((job) => job.job_name)).size).toBe(jobs.length);
      }),
    );
  });

  it('given any seed, then every command request and operation is one that the contract takes', () => {
    fc.assert(
      fc.property(fc.nat(), (seed) => {
        const faults = plan(seed, 60).flatMap((request) => {
          if (request.kind === 'command') return validate(NewCommandRequest, request.request);
          return request.kind === 'operation' ? validate(NewOperation, request.operation) : [];
        });
        expect(faults).toEqual([]);
      }),
    );
  });

  it('given any seed, then every pipeline is one that the contracts take, with a name of its own', () => {
    fc.assert(
      fc.property(fc.nat(), (seed) => {
        const pipelines = plan(seed, 60).flatMap((request) => (request.kind === 'run' ? [request.pipeline] : []));
        const faults = pipelines.flatMap(({ stages }) =>
          stages.flatMap(({ stage, operations }) => [
            ...validate(NewStage, stage),
            ...operations.flatMap((operation) => validate(NewPipelineOperation, operation)),
          ]),
        );
        expect(faults).toEqual([]);
        expect(new Set(pipelines.map(({ name }) => name)).size).toBe(pipelines.length);
      }),
    );
  });

  it('given many requests, then everything that can be asked for is among them', () => {
    const requests = plan(1, 500);
    const actions = requests.flatMap((request) =>
      request.kind === 'job' ? request.followUps.map((one) => one.action) : [],
    );
    expect(new Set(requests.map((request) => request.kind))).toEqual(
      new Set(['job', 'command', 'operation', 'run', 'register', 'patch']),
    );
    const settings = requests.flatMap((request) =>
      request.kind === 'run' ? request.followUps.map((one) => one.status) : [],
    );
    expect(new Set(settings)).toEqual(new Set(['running', 'waiting', 'cancelled']));
    expect(new Set(actions)).toEqual(new Set(['pause', 'restore', 'cancel', 'retry']));
  });
});
