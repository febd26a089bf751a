import type { Lag } from '@muster/messaging';
import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';

/** What every service counts; its own metrics join the same registry. */
export class Metrics {
  readonly registry = new Registry();

  readonly handled = new Histogram({
    name: 'muster_messages_seconds',
    help: 'Time to handle a message or a batch, by pattern and outcome (ok, refused, failed, busy)',
    labelNames: ['pattern', 'outcome'],
    buckets: [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 30],
    registers: [this.registry],
  });
  readonly deviceDropped = new Counter({
    name: 'muster_device_messages_dropped_total',
    help: 'Messages of devices that changed nothing, by channel and reason',
    labelNames: ['channel', 'reason'],
    registers: [this.registry],
  });
  readonly deadLetters = new Counter({
    name: 'muster_dead_letters_total',
    help: 'Messages parked because they could not be handled',
    labelNames: ['subject'],
    registers: [this.registry],
  });
  readonly deadLettersSettled = new Counter({
    name: 'muster_dead_letters_settled_total',
    help: 'Dead letters that an administrator replayed or discarded',
    labelNames: ['how'],
    registers: [this.registry],
  });
  readonly published = new Counter({
    name: 'muster_relay_published_total',
    help: 'Messages published from the journal, by kind',
    labelNames: ['kind'],
    registers: [this.registry],
  });
  readonly lost = new Counter({
    name: 'muster_relay_lost_events_total',
    help: 'Events that the event stream had lost, published again from the journal',
    registers: [this.registry],
  });

  constructor(service: string) {
    this.registry.setDefaultLabels({ service });
    collectDefaultMetrics({ register: this.registry });
  }

  /** Asks for the lag of the service's consumers at each look. One that cannot be asked then is left out. */
  followLags(ask: () => Promise<Lag[]>): void {
    new Gauge({
      name: 'muster_consumer_messages',
      help: 'Messages that a durable consumer has before it: waiting, or handed out and unsettled',
      labelNames: ['consumer', 'state'],
      registers: [this.registry],
      async collect() {
        this.reset();
        for (const { consumer, waiting, unsettled } of await ask()) {
          this.set({ consumer, state: 'waiting' }, waiting);
          this.set({ consumer, state: 'unsettled' }, unsettled);
        }
      },
    });
  }
}
