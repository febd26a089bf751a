import { eventSubject, toCloudEvent } from '@muster/contracts';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { eventsOfMove } from './move.events.js';
import { encode, stored, transitions } from './testing/moves.js';

describe('the events of a move', () => {
  it('given any rows, whatever they have in common, then each is to the byte the CloudEvent of its transition, on its subject', () => {
    fc.assert(
      fc.property(transitions, (list) => {
        const events = eventsOfMove('job-planner', 'acme', stored(encode(list)));
        expect(events.map(({ body }) => body.toString())).toEqual(
          list.map((transition) => toCloudEvent('job-planner', 'acme', transition)),
        );
        expect(events.map(({ id, subject }) => [id, subject])).toEqual(
          list.map(({ id, version, entity, to }) => [
            `${entity}.${id}.${version}`,
            eventSubject('acme', entity, to, id),
          ]),
        );
      }),
    );
  });
});
