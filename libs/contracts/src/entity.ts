import Type, { type Static, type TObject, type TProperties } from 'typebox';
import { cloudEvent, cloudEventSchemaOf, eventDataSchemaId } from './cloud-event.js';
import type { ServiceName } from './services.js';

/** An entity whose transitions are published: its words are the outside's (interfaces §7). */
export interface EntityContract<State extends string = string, Data extends TProperties = TProperties> {
  name: string;
  service: ServiceName;
  states: readonly State[];
  /** What `data` carries beside `project_id, id, from, to, version, reason`. */
  data: TObject<Data>;
}

export function defineEntity<const State extends string, Data extends TProperties>(
  name: string,
  service: ServiceName,
  states: readonly State[],
  data: Data,
): EntityContract<State, Data> {
  return { name, service, states, data: Type.Object(data) };
}

export type StateOf<E extends EntityContract> = E['states'][number];
export type EntityData<E extends EntityContract> = Static<E['data']>;

/** One transition that really happened, as the journal keeps it. `at`: epoch milliseconds. */
export interface Transition {
  entity: string;
  id: string;
  from: string | null;
  to: string;
  version: number;
  at: number;
  reason?: string;
  data?: Record<string, unknown>;
  traceparent?: string;
}

/** The JetStream stream with the events of one service: one writer a stream, so that its relay can count what arrived. */
export const eventStream = (service: ServiceName) => `MUSTER_EVT_${service.toUpperCase().replaceAll('-', '_')}`;

export const eventSubject = (project: string, entity: string, state: string, id: string) =>
  `muster.evt.${project}.${entity}.${state}.${id}`;

export const eventType = (entity: string, state: string) => `io.muster.${entity}.${state.toLowerCase()}`;

/** The id of a transition's event: unique in the whole of the product, for things of two services may share their id. */
export const transitionId = ({ entity, id, version }: Pick<Transition, 'entity' | 'id' | 'version'>) =>
  `${entity}.${id}.${version}`;

/**
 * A transition as a CloudEvents 1.0 event in structured JSON (interfaces §7): what the relay, which writes many at once, is held to.
 */
export const toCloudEvent = (service: string, project: string, transition: Transition): string => {
  const { entity, id, from, to, version, at, reason = '', data, traceparent } = transition;
  return cloudEvent(service, {
    id: transitionId(transition),
    type: eventType(entity, to),
    subject: id,
    at,
    dataschema: eventDataSchemaId(entity),
    traceparent,
    data: { project_id: project, id, from, to, version, reason, ...data },
  });
};

/** JSON Schema of an entity's whole event. */
export const cloudEventSchema = ({ name, service, states, data }: EntityContract) =>
  cloudEventSchemaOf({
    service,
    about: name,
    id: `${name}.<its id>.<version>`,
    types: states.map((state) => eventType(name, state)),
    data: {
      from: Type.Union([Type.Enum([...states]), Type.Null()]),
      to: Type.Enum([...states]),
      version: Type.Integer({ minimum: 1, description: 'counts up by one per entity; a gap means a lost event' }),
      reason: Type.String(),
      ...data.properties,
    },
  });
