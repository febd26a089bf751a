import { systemUser } from '@muster/bus-auth';
import type { BusWithUsers } from '@muster/bus-auth/testing';
import {
  commandWork,
  deviceState,
  jobPlanner,
  type Device,
  type GroupUse,
  type RpcContract,
  type RpcRequest,
  type RpcResponse,
} from '@muster/contracts';
import { RunningService } from '@muster/service/testing';
import { randomUUID } from 'node:crypto';
import type { QueryResultRow } from 'pg';
import { vi } from 'vitest';
import { DeviceStateModule } from '../device-state.module.js';
import { entities, migrations } from '../schema.js';

const KEYS = ['MUSTER_NATS_ACCOUNT_SEED', 'MUSTER_NATS_OPERATOR_SEED', 'MUSTER_NATS_SYSTEM_CREDS'] as const;

/** What the service is given by whoever keeps the keys of the bus. */
async function giveKeys({ keys, keep, nats }: BusWithUsers): Promise<void> {
  const system = { account: keys.systemAccount, seed: keys.systemSeed };
  const creds = await systemUser(system, keys.account, 'device-state');
  const texts = [keys.accountSeed, keys.operatorSeed, creds];
  for (const [at, name] of KEYS.entries()) vi.stubEnv(name, await keep(texts[at]!));
  vi.stubEnv('MUSTER_DEVICE_MQTT_URL', nats.mqttUrl);
}

/** The real service; the test is the devices, the gateway and command-dispatcher. */
export class RunningDeviceState {
  private readonly presence;
  /** What job-planner knows to name groups. */
  readonly groupUses = new Map<string, GroupUse>();

  private constructor(readonly service: RunningService) {
    this.presence = service.hear(commandWork.presence);
    service.answer(jobPlanner.useOfGroup, ({ id }) => ({ use: this.groupUses.get(id) ?? null }));
  }

  /** `keys` false: the service is not given what makes users of the bus. */
  static async start(heartbeatSeconds = 30, { keys = true } = {}): Promise<RunningDeviceState> {
    vi.stubEnv('MUSTER_HEARTBEAT_SECONDS', String(heartbeatSeconds));
    for (const name of KEYS) vi.stubEnv(name, undefined);
    const service = await RunningService.start(
      { service: 'device-state', module: DeviceStateModule, entities, migrations },
      {},
      keys ? { prepare: giveKeys } : {},
    );
    const running = new RunningDeviceState(service);
    await service.connection.flush();
    return running;
  }

  async stop(): Promise<void> {
    await this.service.stop();
    vi.unstubAllEnvs();
  }

  get bus(): BusWithUsers {
    return this.service.users;
  }

  get databaseUrl(): string {
    return this.service.databaseUrl;
  }

  readonly restart: RunningService['restart'] = (meanwhile) => this.service.restart(meanwhile);
  readonly say: RunningService['say'] = (...message) => this.service.say(...message);
  readonly dropped: RunningService['dropped'] = (...which) => this.service.dropped(...which);
  readonly eventsOf: RunningService['eventsOf'] = (id) => this.service.eventsOf(id);

  query<Row extends QueryResultRow>(sql: string, parameters: unknown[] = []): Promise<Row[]> {
    return this.service.query<Row>(sql, parameters);
  }

  call<C extends RpcContract>(contract: C, request: RpcRequest<C>): Promise<RpcResponse<C>> {
    return this.service.call(contract, request);
  }

  /** Registers one device by name and gives its id. */
  async register(project_id: string, name: string): Promise<string> {
    const { results } = await this.call(deviceState.registerDevices, {
      project_id,
      devices: [{ id: randomUUID(), device: { name } }],
    });
    return results[0]!.id;
  }

  device(project_id: string, id: string): Promise<Device> {
    return this.call(deviceState.getDevice, { project_id, id });
  }

  /** What command-dispatcher was told of a device's presence. */
  presenceOf(id: string): { online: boolean; version: number }[] {
    return this.presence
      .flatMap((batch) => batch.items)
      .filter((item) => item.device_id === id)
      .map(({ online, version }) => ({ online, version }));
  }
}
