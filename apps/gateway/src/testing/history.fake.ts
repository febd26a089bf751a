import {
  DomainError,
  timelines,
  WAITING_ENTITIES,
  waitings,
  type ServiceName,
  type TimelineEntry,
  type WaitingEntry,
  type WaitingService,
} from '@muster/contracts';
import type { NatsConnection } from 'nats';
import { answerRpc } from './services.fake.js';

/** The longest page that a service gives, however much is asked for: an answer's bytes are limited too. */
const SHORT_PAGE = 3;

/** The timelines and what waits, of every service, as far as the contracts can be seen. device-state alone knows which devices there are. */
export class FakeHistory {
  readonly devices = new Set<string>();
  readonly entries = new Map<ServiceName, TimelineEntry[]>();
  waiting: WaitingEntry[] = [];
  private readonly answers = new Map<ServiceName, { stop: () => void }[]>();

  constructor(private readonly bus: NatsConnection) {}

  async start(services: readonly WaitingService[] = Object.keys(waitings) as WaitingService[]): Promise<void> {
    for (const service of services) this.answers.set(service, this.answer(service));
    await this.bus.flush();
  }

  async stop(service: ServiceName): Promise<void> {
    for (const answer of this.answers.get(service) ?? []) answer.stop();
    await this.bus.flush();
  }

  private answer(service: WaitingService) {
    return [
      answerRpc(this.bus, timelines[service], ({ project_id, device_id, before, limit }) => {
        const known = project_id === 'demo' && this.devices.has(device_id);
        if (service === 'device-state' && !known) throw new DomainError('not_found', `no device ${device_id}`);
        const key = ({ at, id }: { at: string; id: string }) => `${at} ${id}`;
        const all = (this.entries.get(service) ?? []).toSorted((a, b) => (key(a) > key(b) ? -1 : 1));
        return pageOf(known ? all.filter((entry) => !before || key(entry) < key(before)) : [], limit);
      }),
      answerRpc(this.bus, waitings[service], ({ project_id, entity, after, limit }) => {
        const key = ({ due_at, id }: { due_at: string | null; id: string }) => `${due_at ?? 'never'} ${id}`;
        const kept: readonly string[] = WAITING_ENTITIES[service];
        const all = this.waiting
          .filter((entry) => kept.includes(entry.entity) && (entity === undefined || entry.entity === entity))
          .toSorted((a, b) => (key(a) < key(b) ? -1 : 1));
        return pageOf(project_id === 'demo' ? all.filter((entry) => !after || key(entry) > key(after)) : [], limit);
      }),
    ];
  }
}

function pageOf<T>(rest: T[], limit: number): { entries: T[]; more: boolean } {
  const entries = rest.slice(0, Math.min(limit, SHORT_PAGE));
  return { entries, more: entries.length < rest.length };
}
