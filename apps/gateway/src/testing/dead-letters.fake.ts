import { deadLetters, DomainError, type DeadLetter, type ServiceName } from '@muster/contracts';
import type { NatsConnection } from 'nats';
import { v7 as uuidv7 } from 'uuid';
import { answerRpc } from './services.fake.js';

/** The dead letters of every service that keeps some, as far as the contract can be seen. `too large` as a reason is never taken again. */
export class FakeDeadLetters {
  readonly letters = new Map<string, DeadLetter>();
  readonly replayed: string[] = [];
  private readonly answers = new Map<ServiceName, { stop: () => void }[]>();

  constructor(private readonly bus: NatsConnection) {}

  async start(services: Iterable<ServiceName> = deadLetters.keys()): Promise<void> {
    for (const service of services) this.answers.set(service, this.answer(service));
    // The bus must know before the gateway asks on a connection of its own.
    await this.bus.flush();
  }

  async stop(service: ServiceName): Promise<void> {
    for (const answer of this.answers.get(service) ?? []) answer.stop();
    await this.bus.flush();
  }

  park(service: ServiceName, change: Partial<DeadLetter> = {}): string {
    const id = uuidv7();
    this.letters.set(id, {
      id,
      service,
      project_id: 'demo',
      subject: `muster.work.${service}.test`,
      headers: {},
      reason: 'no',
      deliveries: 8,
      parked_at: new Date().toISOString(),
      payload: { items: [] },
      payload_encoding: 'json',
      payload_bytes: 12,
      payload_truncated: false,
      ...change,
    });
    return id;
  }

  private answer(service: ServiceName) {
    const ask = deadLetters.get(service)!;
    const seen = (project_id: string | undefined) =>
      [...this.letters.values()].filter(
        (letter) => letter.service === service && (project_id === undefined || letter.project_id === project_id),
      );
    const find = (project_id: string | undefined, id: string) => {
      const letter = seen(project_id).find((one) => one.id === id);
      if (!letter) throw new DomainError('not_found', `no dead letter ${id}`);
      return letter;
    };
    return [
      answerRpc(this.bus, ask.list, ({ project_id, subject, parked_before, after = '', limit }) => {
        const found = seen(project_id)
          .filter((letter) => letter.id > after && (subject === undefined || letter.subject === subject))
          .filter((letter) => parked_before === undefined || letter.parked_at < parked_before);
        const letters = found.slice(0, limit);
        return { letters, next: found.length > limit ? letters.at(-1)!.id : null };
      }),
      answerRpc(this.bus, ask.get, ({ project_id, id }) => find(project_id, id)),
      answerRpc(this.bus, ask.replay, ({ project_id, id }) => {
        if (find(project_id, id).reason === 'too large')
          throw new DomainError('too_large', 'more than the bus carries');
        this.letters.delete(id);
        this.replayed.push(id);
        return {};
      }),
      answerRpc(this.bus, ask.discard, ({ project_id, id }) => {
        this.letters.delete(find(project_id, id).id);
        return {};
      }),
    ];
  }
}
