import Type, { type Static, type TObject, type TProperties } from 'typebox';
import { cloudEvent, cloudEventSchemaOf, eventDataSchemaId } from './cloud-event.js';
import { eventSubject, eventType, type EntityContract } from './entity.js';

/** What is told of an entity beside its transitions: it says something of it as of a moment, and has no version of it. */
export interface NoticeContract<Data extends TProperties = TProperties> {
  entity: EntityContract;
  /** Its word in subjects and types, where those of transitions have the state. */
  name: string;
  /** What `data` carries beside `project_id, id, number`. */
  data: TObject<Data>;
}

export const defineNotice = <Data extends TProperties>(
  entity: EntityContract,
  name: string,
  data: Data,
): NoticeContract<Data> => ({ entity, name, data: Type.Object(data) });

export type NoticeData<N extends NoticeContract> = Static<N['data']>;

/** One notice, as the journal keeps it. `number`: counts up by one per entity and name, from 1. `at`: epoch milliseconds. */
export interface Notice {
  entity: string;
  name: string;
  id: string;
  number: number;
  at: number;
  data: Record<string, unknown>;
  traceparent?: string;
}

/** The id of a notice's event. */
export const noticeId = ({ entity, name, id, number }: Pick<Notice, 'entity' | 'name' | 'id' | 'number'>) =>
  `${entity}.${name}.${id}.${number}`;

export const noticeSubject = (project: string, { entity, name, id }: Notice) => eventSubject(project, entity, name, id);

const aboutOf = (entity: string, name: string) => `${entity}.${name}`;

/** A notice as a CloudEvents 1.0 event in structured JSON. */
export const noticeToCloudEvent = (service: string, project: string, notice: Notice): string => {
  const { entity, name, id, number, at, data, traceparent } = notice;
  return cloudEvent(service, {
    id: noticeId(notice),
    type: eventType(entity, name),
    subject: id,
    at,
    dataschema: eventDataSchemaId(aboutOf(entity, name)),
    traceparent,
    data: { project_id: project, id, number, ...data },
  });
};

/** JSON Schema of a notice's whole event. */
export const noticeEventSchema = ({ entity, name, data }: NoticeContract) =>
  cloudEventSchemaOf({
    service: entity.service,
    about: aboutOf(entity.name, name),
    id: `${entity.name}.${name}.<its id>.<number>`,
    types: [eventType(entity.name, name)],
    data: {
      number: Type.Integer({ minimum: 1, description: 'counts up by one per entity; a gap means a lost event' }),
      ...data.properties,
    },
  });
