import Type, { type Static, type TObject, type TProperties } from 'typebox';
import { ProjectId } from './schema.js';
import type { ServiceName } from './services.js';

/** The most items one work batch carries, and so the most rows one hot statement touches. */
export const BATCH_SIZE = 500;

/** The most bytes of JSON that the items of one work message take together, unless a single item is larger. */
export const MAX_WORK_BYTES = 512 * 1024;

/** The JetStream stream that holds all work until it is acknowledged. */
export const WORK_STREAM = 'MUSTER_WORK';

/** A batch that one service asks of another: `muster.work.<service>.<verb>`; `head` holds what all its items share. */
export interface WorkContract<Head extends TProperties = TProperties, Item extends TProperties = TProperties> {
  service: ServiceName;
  verb: string;
  subject: string;
  /** Durable consumer of the subject. */
  consumer: string;
  head: TObject<Head>;
  item: TObject<Item>;
}

export function defineWork<Head extends TProperties, Item extends TProperties>(
  service: ServiceName,
  verb: string,
  head: Head,
  item: Item,
): WorkContract<Head, Item> {
  return {
    service,
    verb,
    subject: `muster.work.${service}.${verb}`,
    consumer: `${service}_${verb}`,
    head: Type.Object(head),
    item: Type.Object(item),
  };
}

export type WorkHead<C extends WorkContract> = Static<C['head']>;
export type WorkItem<C extends WorkContract> = Static<C['item']>;

/** What travels: one project's items, at most {@link BATCH_SIZE}. */
export interface WorkBatch<C extends WorkContract = WorkContract> {
  project_id: string;
  head: WorkHead<C>;
  items: WorkItem<C>[];
}

/** The JSON Schema of a contract's batch, for documents and checks. */
export const workBatchSchema = (contract: WorkContract) =>
  Type.Object({
    project_id: ProjectId,
    head: contract.head,
    items: Type.Array(contract.item, { maxItems: BATCH_SIZE }),
  });
