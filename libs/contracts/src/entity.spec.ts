import { Ajv } from 'ajv';
import addFormats from 'ajv-formats';
import { CloudEvent, ValidationError } from 'cloudevents';
import fc from 'fast-check';
import type { TSchema } from 'typebox';
import { describe, expect, it } from 'vitest';
import { entities } from './catalogue.js';
import {
  cloudEventSchema,
  eventStream,
  eventSubject,
  toCloudEvent,
  type EntityContract,
  type Transition,
} from './entity.js';
import { SERVICES } from './services.js';

const TRACEPARENT = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';

const fits = (entity: EntityContract) => {
  const ajv = new Ajv({ allErrors: true });
  addFormats.default(ajv);
  return ajv.compile(cloudEventSchema(entity));
};

const text = fc.string({ unit: 'grapheme' });

const valueOf = (schema: TSchema): fc.Arbitrary<unknown> => {
  if ('anyOf' in schema) return fc.oneof(...(schema.anyOf as TSchema[]).map(valueOf));
  if ('type' in schema && schema.type === 'null') return fc.constant(null);
  if ('format' in schema) return fc.uuid();
  return 'items' in schema ? fc.array(text) : text;
};

/** What an entity's events carry of their own, by the type that its contract says. */
const dataOf = (entity: EntityContract) =>
  fc.record(
    Object.fromEntries(Object.entries(entity.data.properties).map(([name, schema]) => [name, valueOf(schema)])),
  );

const transitionOf = (entity: EntityContract): fc.Arbitrary<Transition> =>
  fc.record(
    {
      entity: fc.constant(entity.name),
      id: fc.uuid(),
      from: fc.option(fc.constantFrom(...entity.states)),
      to: fc.constantFrom(...entity.states),
      version: fc.integer({ min: 1, max: 2 ** 31 }),
      at: fc.integer({ min: 0, max: 4_000_000_000_000 }),
      reason: fc.string(),
      data: dataOf(entity),
      traceparent: fc.constant(TRACEPARENT),
    },
    { requiredKeys: ['entity', 'id', 'from', 'to', 'version', 'at', 'data'] },
  );

describe.each(entities.map((entity) => [entity.name, entity] as const))('the events of a %s', (_name, entity) => {
  const event = (transition: Transition) =>
    JSON.parse(toCloudEvent(entity.service, 'acme', transition)) as Record<string, unknown> & { data: object };

  it('given any transition, then its event is a CloudEvent 1.0 and fits the published schema', () => {
    const check = fits(entity);
    fc.assert(
      fc.property(transitionOf(entity), (transition) => {
        const made = event(transition);
        expect(check(made), JSON.stringify(check.errors)).toBe(true);
        const read = new CloudEvent(made);
        expect(read.validate()).toBe(true);
        expect(read).toMatchObject({
          id: `${transition.entity}.${transition.id}.${transition.version}`,
          source: `/muster/${entity.service}`,
          type: `io.muster.${entity.name}.${transition.to.toLowerCase()}`,
          subject: transition.id,
          time: new Date(transition.at).toISOString(),
        });
      }),
      { numRuns: 30 },
    );
  });

  it('given an event with a piece missing or wrong, then neither takes it', () => {
    const [sample] = fc.sample(transitionOf(entity), 1);
    const made = event(sample!);
    const check = fits(entity);
    expect(() => new CloudEvent({ ...made, source: undefined } as never)).toThrow(ValidationError);
    for (const wrong of [
      { ...made, source: '/muster/nobody' },
      { ...made, type: 'io.muster.other.state' },
      { ...made, time: 'yesterday' },
      { ...made, traceparent: 'no trace' },
      { ...made, data: { ...made.data, version: 0 } },
      { ...made, data: { ...made.data, to: 'NOWHERE' } },
      { ...made, data: { ...made.data, project_id: 'Not A Slug' } },
    ])
      expect(check(wrong)).toBe(false);
  });
});

describe('toCloudEvent', () => {
  it('given a transition without a reason or a trace, then the reason is empty and no trace is claimed', () => {
    const text = toCloudEvent('device-state', 'acme', {
      entity: 'device',
      id: 'a',
      from: null,
      to: 'ONLINE',
      version: 1,
      at: 0,
    });
    expect(JSON.parse(text)).toMatchObject({ time: '1970-01-01T00:00:00.000Z', data: { from: null, reason: '' } });
    expect(text).not.toContain('traceparent');
  });
});

describe('names on the bus', () => {
  it('given a transition, then a subscriber can filter by each token', () => {
    expect(eventSubject('acme', 'job-task', 'Timed_out', 'id-1')).toBe('muster.evt.acme.job-task.Timed_out.id-1');
  });

  it('given every service, then each has a stream of its own with a name that the bus takes', () => {
    const streams = SERVICES.map(eventStream);
    expect(new Set(streams).size).toBe(SERVICES.length);
    for (const stream of streams) expect(stream).toMatch(/^[A-Z_]+$/);
    expect(eventStream('job-planner')).toBe('MUSTER_EVT_JOB_PLANNER');
  });
});
