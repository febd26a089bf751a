import { defineRpc, defineWork, deviceEntity, Uuid, type WorkBatch } from '@muster/contracts';
import { currentTraceparent, defineStateTable, Journal, stateTableColumns } from '@muster/journal';
import { defineLifecycle } from '@muster/lifecycle';
import { Rpc, RpcClient, Work } from '@muster/messaging';
import { Controller, Get, Headers, Inject, Module } from '@nestjs/common';
import { randomUUID } from 'node:crypto';
import Type from 'typebox';
import type { MigrationInterface, QueryRunner } from 'typeorm';
import type { Logger } from '../logger.js';
import type { ServiceDefinition } from '../start.js';
import { inRequestSpan } from '../telemetry.js';
import { LOGGER } from '../tokens.js';

const SERVICE = 'device-state';

const visit = defineRpc(SERVICE, 'visit', Type.Object({ id: Uuid }), Type.Object({ traceparent: Type.String() }));
export const welcome = defineWork(SERVICE, 'welcome', {}, { id: Uuid });

export const guests = defineStateTable(deviceEntity, {
  lifecycle: defineLifecycle({
    entity: 'device',
    initial: 'REGISTERED',
    states: { REGISTERED: { to: ['ONLINE'] }, ONLINE: { to: ['OFFLINE'] }, OFFLINE: { to: ['ONLINE'] } },
  }),
  table: 'guest',
  columns: { name: 'text' },
  eventData: ['name'],
  activity: false,
  traced: false,
});

class Guests1700000000001 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(
      `CREATE TABLE guest (${stateTableColumns(guests)}, name text NOT NULL, PRIMARY KEY (project_id, id))`,
    );
  }
  async down(): Promise<void> {}
}

/** What a visit passed: each handler's `traceparent`. */
export interface Passed {
  id: string;
  rpc: string;
}

/** Guests who were welcomed, with the `traceparent` of the handler that did. */
export const welcomed = new Map<string, string>();

/** Guests who cannot be welcomed, and why; with the times at which it was tried. */
class Trouble extends Map<string, string> {
  readonly tries = new Map<string, number[]>();

  /** @throws the reason, if there is trouble with this guest. */
  meet(id: string): void {
    const reason = this.get(id);
    if (reason === undefined) return;
    this.tries.set(id, [...(this.tries.get(id) ?? []), performance.now()]);
    throw new Error(reason);
  }
}
export const trouble = new Trouble();

@Controller()
class House {
  constructor(
    private readonly rpc: RpcClient,
    private readonly journal: Journal,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {}

  @Get('visit')
  visit(@Headers('traceparent') traceparent: string | undefined): Promise<Passed> {
    return inRequestSpan('GET /visit', traceparent, async () => {
      this.logger.info('at the gate');
      const id = randomUUID();
      const answer = await this.rpc.call(visit, { id });
      return { id, rpc: answer.traceparent };
    });
  }

  @Rpc(visit)
  async answer({ id }: { id: string }): Promise<{ traceparent: string }> {
    this.logger.info('at the door');
    await this.journal.transaction('acme', async (tx) => {
      await tx.create(guests, { id: [id], name: ['Ada'] });
      tx.work(welcome, {}, [{ id }]);
    });
    return { traceparent: currentTraceparent() ?? '' };
  }

  @Work(welcome)
  async welcome({ items }: WorkBatch<typeof welcome>): Promise<void> {
    this.logger.info('in the hall');
    for (const { id } of items) trouble.meet(id);
    for (const { id } of items) welcomed.set(id, currentTraceparent() ?? '');
  }
}

@Module({ controllers: [House] })
class HouseModule {}

/** A service with one way through it: an HTTP request asks over rpc, the answer writes the journal, and work follows from that. */
export const tinyService: ServiceDefinition = {
  service: SERVICE,
  module: HouseModule,
  entities: [],
  migrations: [Guests1700000000001],
};
