import { eventDataSchemaId, eventSubject, eventType } from '@muster/contracts';
import { eventIdsOf, type Column, type Move } from './move.js';

/** An event on its way to its stream. */
export interface OutgoingEvent {
  subject: string;
  /** The event's id: its `Nats-Msg-Id` when it is published one by one. */
  id: string;
  body: Uint8Array;
}

/** What differs from row to row: JSON, or a piece of it, by the index of the row. */
type Hole = (index: number) => string;

/**
 * The events of a move, in its order: to the byte what `toCloudEvent` writes of its transitions. Every transition of the product is written here,
 * and nearly all of it is the same for each row of a move: that is turned into JSON once.
 */
export function eventsOfMove(service: string, project: string, move: Move): OutgoingEvent[] {
  const { entity, to, ids } = move;
  const id: Hole = (index) => ids[index]!;
  const eventIds = eventIdsOf(move);
  const text = new Template()
    .add('{"specversion":"1.0","id":"', (index) => eventIds[index]!)
    .add(`","source":${json(`/muster/${service}`)},"type":${json(eventType(entity, to))},"subject":"`, id)
    .add('","time":', piece(move.at, timeWriter()))
    .add(`,"datacontenttype":"application/json","dataschema":${json(eventDataSchemaId(entity))}`)
    .add(move.traceparent ? piece(move.traceparent, (trace) => (trace ? `,"traceparent":${json(trace)}` : '')) : '')
    .add(`,"data":{"project_id":${json(project)},"id":"`, id)
    .add('","from":', piece(move.from, json), `,"to":${json(to)},"version":`, piece(move.version, String))
    .add(',"reason":', piece(move.reason, json));
  for (const [name, column] of Object.entries(move.data)) text.add(`,${json(name)}:`, piece(column, json));
  text.add('}}');
  const subject = eventSubject(project, entity, to, '');
  return ids.map((own, index) => ({
    subject: subject + own,
    id: eventIds[index]!,
    // Takes its bytes from a pool, which costs half of what TextEncoder does.
    body: Buffer.from(text.write(index)),
  }));
}

/** Text with holes; what is the same for each row is one piece of it, however it was added. */
class Template {
  /** Text and what was last written into a hole, in turns. */
  private readonly pieces = [''];
  private readonly holes: Hole[] = [];

  add(...added: (string | Hole)[]): this {
    for (const one of added) {
      if (typeof one === 'string') this.pieces.push(this.pieces.pop()! + one);
      else {
        this.holes.push(one);
        this.pieces.push('', '');
      }
    }
    return this;
  }

  write(index: number): string {
    for (const [place, hole] of this.holes.entries()) this.pieces[2 * place + 1] = hole(index);
    // A string that was added up piece by piece is put together again when its bytes are taken.
    return this.pieces.join('');
  }
}

const json = (value: unknown): string => JSON.stringify(value);

const piece = <T>(column: Column<T>, write: (value: T) => string): string | Hole =>
  'all' in column ? write(column.all) : (index) => write(column[index]!);

/** Rows of one move were often written in the same millisecond. */
function timeWriter(): (at: number) => string {
  let last: number | undefined;
  let text = '';
  return (at) => {
    if (at !== last) {
      last = at;
      text = json(new Date(at).toISOString());
    }
    return text;
  };
}
