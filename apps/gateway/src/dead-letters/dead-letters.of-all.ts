import {
  deadLetters,
  DomainError,
  type DeadLetter,
  type DeadLetterRpcs,
  type RpcRequest,
  type ServiceName,
} from '@muster/contracts';
import { RpcClient } from '@muster/messaging';
import { Injectable } from '@nestjs/common';
import { mergePages, upwards } from '../common/merge.pages.js';

export interface LetterFilter {
  service?: ServiceName;
  subject?: string;
  parked_before?: string;
}

/** `next`: the id of the last one when more follow. */
export interface LetterPage {
  letters: DeadLetter[];
  next: string | null;
}

export interface Replayed {
  replayed: number;
  /** What the bus cannot carry. */
  failed: { id: string; service: ServiceName; reason: string }[];
  next: string | null;
}

type One = RpcRequest<DeadLetterRpcs['get']>;

/**
 * The dead letters of all services as one list. `project` null stands for every one. Whatever cannot be known because a service does not
 * answer is refused as `unavailable`, naming it: a list without its letters would look whole.
 */
@Injectable()
export class DeadLettersOfAll {
  constructor(private readonly rpc: RpcClient) {}

  async list(
    project: string | null,
    { service, ...filter }: LetterFilter,
    limit: number,
    after?: string,
  ): Promise<LetterPage> {
    const pages = await Promise.all(
      [...deadLetters]
        .filter(([keeper]) => service === undefined || keeper === service)
        .map(async ([, { list }]) => {
          const request = { ...scopeOf(project), ...filter, limit, ...(after !== undefined && { after }) };
          const { letters, next } = await this.rpc.call(list, request);
          return { items: letters, more: next !== null };
        }),
    );
    const { items, more } = mergePages(pages, limit, (a, b) => upwards(a.id, b.id));
    return { letters: items, next: more ? (items.at(-1)?.id ?? null) : null };
  }

  find(project: string | null, id: string): Promise<DeadLetter> {
    return this.askKeeper(project, id, ({ get }, request) => this.rpc.call(get, request));
  }

  async replay(project: string | null, id: string): Promise<void> {
    await this.askKeeper(project, id, ({ replay }, request) => this.rpc.call(replay, request));
  }

  async discard(project: string | null, id: string): Promise<void> {
    await this.askKeeper(project, id, ({ discard }, request) => this.rpc.call(discard, request));
  }

  /**
   * Publishes one page of the list again, each service's letters in their order. One that is gone by then is nobody's failure.
   * @throws DomainError `unavailable`: those before it are published and gone from the list, so asking again goes on.
   */
  async replayPage(project: string | null, filter: LetterFilter, limit: number, after?: string): Promise<Replayed> {
    const { letters, next } = await this.list(project, filter, limit, after);
    const answer: Replayed = { replayed: 0, failed: [], next };
    const replayOf = async (service: ServiceName, { replay }: DeadLetterRpcs) => {
      for (const { id } of letters.filter((letter) => letter.service === service)) {
        try {
          await this.rpc.call(replay, { ...scopeOf(project), id });
          answer.replayed++;
        } catch (error) {
          if (!(error instanceof DomainError) || error.kind === 'unavailable') throw error;
          if (error.kind !== 'not_found') answer.failed.push({ id, service, reason: error.message });
        }
      }
    };
    await Promise.all([...deadLetters].map(([service, rpcs]) => replayOf(service, rpcs)));
    return answer;
  }

  /** An id does not tell who keeps the letter, so all are asked. */
  private async askKeeper<T>(
    project: string | null,
    id: string,
    ask: (rpcs: DeadLetterRpcs, request: One) => Promise<T>,
  ): Promise<T> {
    const request = { ...scopeOf(project), id };
    try {
      return await Promise.any<T>([...deadLetters.values()].map((rpcs) => ask(rpcs, request)));
    } catch (error) {
      const errors = error instanceof AggregateError ? (error.errors as unknown[]) : [error];
      throw errors.sort((a, b) => rankOf(a) - rankOf(b))[0];
    }
  }
}

/** The keeper's own word comes before that of one who may be the keeper but does not answer, and that before a stranger's. */
const rankOf = (error: unknown) =>
  error instanceof DomainError ? ['unavailable', 'not_found'].indexOf(error.kind) + 1 : 0;

const scopeOf = (project: string | null) => (project === null ? {} : { project_id: project });
