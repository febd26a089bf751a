import { v7 as uuidv7 } from 'uuid';

/** Runs one statement with parameters and gives its rows; a data source does. */
export interface Statements {
  query(sql: string, parameters: unknown[]): Promise<unknown>;
}

/** A message that could not be sent or handled, with everything needed to publish it again. `deliveries`: 0 when it was never sent. */
export interface DeadLetter {
  /** What tells it from others when it is parked again; left out for one that is parked only once. */
  name?: string;
  subject: string;
  headers: Record<string, string>;
  payload: Uint8Array;
  reason: string;
  deliveries: number;
}

/** A dead letter as it lies in the table. `id`: a UUIDv7, so that letters of all services have one order. */
export interface KeptLetter extends Omit<DeadLetter, 'name'> {
  id: string;
  /** Null when the message does not tell. */
  project_id: string | null;
  parked_at: Date;
  /** Bytes of the whole payload, of which `payload` may be the beginning. */
  payload_bytes: number;
}

/** Which letters: `project` null stands for every one, and those of none; `after`: a letter's id. */
export interface LetterFilter {
  project: string | null;
  /** A subject, or the beginning of one with `>` at its end. */
  subject?: string | undefined;
  /** ISO 8601. */
  parkedBefore?: string | undefined;
  after?: string | undefined;
}

/** How much of the letters: `payloadBytes` of each payload, and no further letter once those before it have `bytes`. */
export interface LetterPage {
  limit: number;
  bytes: number;
  payloadBytes: number;
}

const MAX_REASON = 2048;

/** Keeps dead letters in the service's own schema. */
export class DeadLetterStore {
  constructor(private readonly statements: Statements) {}

  /** @returns whether it is a new one: a letter of the same name is kept once. */
  async park(letter: DeadLetter): Promise<boolean> {
    const headers = Object.entries(letter.headers).map(([name, value]) => [storable(name), storable(value)]);
    const parked = (await this.statements.query(
      `INSERT INTO dead_letter (id, name, project_id, subject, headers, payload, reason, deliveries)
       VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (name) DO NOTHING RETURNING id`,
      [
        uuidv7(),
        letter.name ?? null,
        projectOf(letter) ?? null,
        letter.subject,
        Object.fromEntries(headers) as object,
        Buffer.from(letter.payload),
        storable(letter.reason).slice(0, MAX_REASON),
        letter.deliveries,
      ],
    )) as unknown[];
    return parked.length > 0;
  }

  /** In the order of ids; `more`: whether others follow. */
  async list(filter: LetterFilter, page: LetterPage): Promise<{ letters: KeptLetter[]; more: boolean }> {
    const prefix = filter.subject?.endsWith('>') ? filter.subject.slice(0, -1) : null;
    const rows = (await this.statements.query(
      `SELECT * FROM (
         SELECT *, count(*) OVER ()::integer AS found,
                sum(length(payload) + octet_length(headers::text) + octet_length(reason))
                  OVER (ORDER BY id ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS before
         FROM (
           SELECT ${columns('$6')} FROM dead_letter
           WHERE ($1::text IS NULL OR project_id = $1) AND ($2::uuid IS NULL OR id > $2)
             AND ($3::text IS NULL OR subject = $3 OR starts_with(subject, $4::text))
             AND ($5::timestamptz IS NULL OR parked_at < $5)
           ORDER BY id LIMIT $7 + 1
         ) letters
       ) measured
       WHERE before IS NULL OR before < $8 ORDER BY id LIMIT $7`,
      [
        filter.project,
        filter.after ?? null,
        filter.subject ?? null,
        prefix,
        filter.parkedBefore ?? null,
        page.payloadBytes,
        page.limit,
        page.bytes,
      ],
    )) as (KeptLetter & { found: number })[];
    return { letters: rows, more: rows.length < (rows[0]?.found ?? 0) };
  }

  /** With at most `payloadBytes` of its payload; all of it unless told. */
  async find(project: string | null, id: string, payloadBytes?: number): Promise<KeptLetter | undefined> {
    const rows = (await this.statements.query(
      `SELECT ${columns('$3')} FROM dead_letter WHERE id = $1 AND ($2::text IS NULL OR project_id = $2)`,
      [id, project, payloadBytes ?? MAX_BYTES],
    )) as KeptLetter[];
    return rows[0];
  }

  /** @returns whether there was one. */
  async remove(project: string | null, id: string): Promise<boolean> {
    const gone = (await this.statements.query(
      `WITH gone AS (DELETE FROM dead_letter WHERE id = $1 AND ($2::text IS NULL OR project_id = $2) RETURNING id)
       SELECT id FROM gone`,
      [id, project],
    )) as { id: string }[];
    return gone.length > 0;
  }
}

/** The most that a value of Postgres holds. */
const MAX_BYTES = 1024 ** 3;

const columns = (payloadBytes: string) =>
  `id, project_id, subject, headers, substring(payload FROM 1 FOR ${payloadBytes}::integer) AS payload,
   length(payload) AS payload_bytes, reason, deliveries, parked_at`;

/** Postgres takes no U+0000 in text, and no half of a surrogate pair in jsonb: a letter must not be refused for its header or reason. */
const storable = (text: string) => text.toWellFormed().replaceAll('\0', '\uFFFD');

/** Whose message it is, as its subject or, for work, its body tells. */
function projectOf({ subject, payload }: DeadLetter): string | undefined {
  const [, inSubject] = /^muster\.(?:dev|evt)\.([a-z0-9-]{1,40})\./.exec(subject) ?? [];
  if (inSubject !== undefined || !subject.startsWith('muster.work.')) return inSubject;
  try {
    const body = JSON.parse(Buffer.from(payload).toString('utf8')) as { project_id?: unknown } | null;
    const project = body?.project_id;
    return typeof project === 'string' && /^[a-z0-9-]{1,40}$/.test(project) ? project : undefined;
  } catch {
    return undefined;
  }
}
