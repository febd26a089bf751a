import { deviceChannels, entities, eventStream, eventSubject, SERVICES, WORK_STREAM, works } from '@muster/contracts';
import { describe, expect, it } from 'vitest';
import { streamsOf } from './streams.js';

/** Whether a stream's subject takes a subject: `*` is any token, `>` all that are left. */
const takes = (pattern: string, subject: string) =>
  new RegExp(`^${pattern.replaceAll('.', '\\.').replaceAll('*', '[^.]+').replaceAll('>', '.+')}$`).test(subject);

const all = new Map(SERVICES.flatMap((service) => streamsOf(service)).map((spec) => [spec.name, spec]));
const keepersOf = (subject: string) =>
  [...all.values()]
    .filter(({ subjects }) => subjects.some((pattern) => takes(pattern, subject)))
    .map(({ name }) => name);

describe('the streams', () => {
  it.each(entities.map((entity) => [entity.name, entity] as const))(
    'given an event of a %s in any state, then exactly the stream of its service keeps it',
    (name, entity) => {
      for (const state of entity.states)
        expect(keepersOf(eventSubject('acme', name, state, 'id'))).toEqual([eventStream(entity.service)]);
    },
  );

  it.each(works.map(({ subject }) => subject))('given %s, then exactly the work stream keeps it', (subject) => {
    expect(keepersOf(subject)).toEqual([WORK_STREAM]);
  });

  it.each(Object.values(deviceChannels))(
    'given the channel $name, carried by $carrier, then as many streams keep it',
    ({ name, carrier }) => {
      const kept = carrier === 'stream' ? [`MUSTER_DEV_${name.toUpperCase()}`] : [];
      expect(keepersOf(`muster.dev.acme.device.${name}`)).toEqual(kept);
    },
  );

  it('given a question, then nothing keeps it', () => {
    expect(keepersOf('muster.rpc.device-state.getDevice')).toEqual([]);
  });
});
