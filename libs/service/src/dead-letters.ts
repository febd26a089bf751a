import { DomainError, nestsTooDeep, type DeadLetter, type ServiceName } from '@muster/contracts';
import { DeadLetterStore, type KeptLetter, type LetterFilter } from '@muster/journal';
import { fitting, republish } from '@muster/messaging';
import type { NatsConnection } from 'nats';
import type { Logger } from './logger.js';
import type { Metrics } from './metrics.js';

/** Bytes of a payload that a list shows, and a single letter: base64 of the latter still fits into an answer on any bus. */
const SHOWN = { listed: 2 * 1024, alone: 512 * 1024 };
/** Of the letters of a page, unless the first letter alone is larger. */
const PAGE_BYTES = 512 * 1024;
const SHOWN_HEADERS = { count: 32, length: 1024 };

/** The dead letters of this service: shown, published again, given up. A `project` of null stands for every one. */
export class DeadLetters {
  private readonly store: DeadLetterStore;

  constructor(
    private readonly service: ServiceName,
    statements: ConstructorParameters<typeof DeadLetterStore>[0],
    private readonly connection: NatsConnection,
    private readonly logger: Logger,
    private readonly metrics: Metrics,
  ) {
    this.store = new DeadLetterStore(statements);
  }

  async list(filter: LetterFilter, limit: number): Promise<{ letters: DeadLetter[]; next: string | null }> {
    const page = { limit, bytes: PAGE_BYTES, payloadBytes: SHOWN.listed };
    const { letters: kept, more } = await this.store.list(filter, page);
    const letters = fitting(kept.map((one) => this.documentOf(one)));
    return { letters, next: more || letters.length < kept.length ? letters.at(-1)!.id : null };
  }

  /** @throws DomainError `not_found`. */
  async find(project: string | null, id: string): Promise<DeadLetter> {
    return this.documentOf(await this.letter(project, id, SHOWN.alone));
  }

  /**
   * Publishes the letter again and then forgets it. A crash in between leaves it here, and the id by which it was published keeps a
   * second replay from publishing it twice for as long as the stream remembers ids; after that its consumer sees it once more.
   * @throws DomainError `not_found`, `too_large`, `unavailable`.
   */
  async replay(project: string | null, id: string): Promise<void> {
    const letter = await this.letter(project, id);
    await republish(this.connection, letter, `replay.${id}`);
    await this.store.remove(project, id);
    this.tell(letter, 'replayed');
  }

  /** @throws DomainError `not_found`. */
  async discard(project: string | null, id: string): Promise<void> {
    const letter = await this.letter(project, id, 0);
    await this.store.remove(project, id);
    this.tell(letter, 'discarded');
  }

  private async letter(project: string | null, id: string, payloadBytes?: number): Promise<KeptLetter> {
    const letter = await this.store.find(project, id, payloadBytes);
    if (!letter) throw new DomainError('not_found', `no dead letter ${id}`);
    return letter;
  }

  private tell({ id, subject }: KeptLetter, how: 'replayed' | 'discarded'): void {
    this.metrics.deadLettersSettled.inc({ how });
    this.logger.info({ id, subject }, `dead letter ${how}`);
  }

  private documentOf(letter: KeptLetter): DeadLetter {
    const truncated = letter.payload.length < letter.payload_bytes;
    const json = truncated ? undefined : jsonOf(letter.payload);
    const headers = Object.entries(letter.headers).slice(0, SHOWN_HEADERS.count);
    return {
      id: letter.id,
      service: this.service,
      project_id: letter.project_id,
      subject: letter.subject,
      headers: Object.fromEntries(headers.map(([name, value]) => [name, value.slice(0, SHOWN_HEADERS.length)])),
      reason: letter.reason,
      deliveries: letter.deliveries,
      parked_at: letter.parked_at.toISOString(),
      payload: json ? json.value : Buffer.from(letter.payload).toString('base64'),
      payload_encoding: json ? 'json' : 'base64',
      payload_bytes: letter.payload_bytes,
      payload_truncated: truncated,
    };
  }
}

/** The payload's value, if it is JSON that can be written again. */
function jsonOf(payload: Uint8Array): { value: unknown } | undefined {
  try {
    const value: unknown = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(payload));
    return nestsTooDeep(value) ? undefined : { value };
  } catch {
    return undefined;
  }
}
