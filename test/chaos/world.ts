import type { Device } from '@muster/contracts';
import { makeScratch, postgresFolder, removeScratch } from '@muster/testing';
import { cp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ChildProcess } from 'node:child_process';
import { Stack, type StackFile } from '../harness/stack.ts';
import { until } from '../harness/until.ts';
import { Database } from './database.ts';
import type { ChaosOptions } from './options.ts';
import { Random } from './random.ts';
import { FLEETS, REPLICA_NAMES, REPLICAS } from './schedule.ts';

/** What the names of all simulated devices begin with. */
export const PREFIX = 'chaos';

const READY_MS = 120_000;

/** How each fleet behaves, and its share of the devices. `away`: half of it comes only after half of the faults. */
const BEHAVIOUR: Record<(typeof FLEETS)[number], { share: number; args: string }> = {
  fast: { share: 0.6, args: '--latency 10-150 --failure-rate 0.05 --duplicate-rate 0.1 --reorder-rate 0.1' },
  slow: { share: 0.3, args: '--latency 500-4000 --failure-rate 0.1 --duplicate-rate 0.3 --reorder-rate 0.3' },
  away: { share: 0.1, args: '--latency 10-500 --failure-rate 0.05 --duplicate-rate 0.3 --offline-rate 0.5' },
};

/** The product with two replicas of each service, its fleets, and a Postgres that can be broken. */
export class World {
  readonly database: Database;
  readonly stack: Stack;
  readonly scratch: string;
  private readonly fleets = new Map<string, ChildProcess>();

  private constructor(scratch: string, database: Database, stack: Stack) {
    this.scratch = scratch;
    this.database = database;
    this.stack = stack;
  }

  static async start(seed: number): Promise<World> {
    const scratch = await makeScratch();
    let database: Database | undefined;
    try {
      database = await Database.start(postgresFolder(scratch), new Random(seed, 'answers'));
      const env = { MUSTER_DATABASE_URL: database.proxy.url, MUSTER_REPLICAS: String(REPLICAS) };
      return new World(scratch, database, await Stack.start(env));
    } catch (error) {
      try {
        await database?.stop();
      } finally {
        await removeScratch(scratch);
      }
      throw error;
    }
  }

  /** Starts the fleets. @returns all devices, in the order of their names. */
  async startFleets({ seed, minutes, devices }: ChaosOptions): Promise<Pick<Device, 'id' | 'name'>[]> {
    for (const name of FLEETS) {
      const { share, args } = BEHAVIOUR[name];
      const fleet = await this.stack.fleet([
        ...['--count', String(Math.ceil(devices * share)), '--prefix', `${PREFIX}-${name}`, '--seed', String(seed)],
        ...['--executions', this.executions, '--ends', this.ends, ...args.split(' ')],
        ...(name === 'away' ? ['--offline-seconds', String(Math.round(minutes * 30))] : []),
      ]);
      this.fleets.set(name, fleet);
    }
    return this.database.query(`SELECT id, name FROM device_state.device WHERE name LIKE $1 ORDER BY name`, [
      `${PREFIX}-%`,
    ]);
  }

  /** Where every fleet notes what it executes. */
  get executions(): string {
    return join(this.stack.dataDir, 'executions.ndjson');
  }

  /** Where every fleet notes what its executions came to. */
  get ends(): string {
    return join(this.stack.dataDir, 'ends.ndjson');
  }

  /** The pid of a process of the stack, or of a fleet; undefined while it is not there. */
  async pidOf(name: string): Promise<number | undefined> {
    const fleet = this.fleets.get(name);
    if (fleet) return fleet.pid;
    return (await this.stack.file()).processes.find((process) => process.name === name)?.pid;
  }

  /** The gateways, which keep their addresses over restarts. */
  async gateways(): Promise<{ urls: string[]; token: string }> {
    const { processes, token } = await this.stack.file();
    return { token, urls: urlsOf(processes, (name) => name.startsWith('gateway')) };
  }

  /** Waits until every replica says that it can do its work. */
  async ready(): Promise<void> {
    await until('two ready replicas of each service', async () => (await this.notReady()).length === 0, {
      timeout: READY_MS,
      interval: 200,
    });
  }

  /** The replicas that are not there, or say that they cannot work. */
  async notReady(): Promise<string[]> {
    const { processes } = await this.stack.file();
    const checks = REPLICA_NAMES.map(async (name) => {
      const [url] = urlsOf(processes, (own) => own === name);
      const ok = url && (await fetch(`${url}/readyz`, { signal: AbortSignal.timeout(2_000) }).then(({ ok }) => ok));
      return ok ? [] : [name];
    });
    const settled = await Promise.allSettled(checks);
    return settled.flatMap((check, index) => (check.status === 'fulfilled' ? check.value : [REPLICA_NAMES[index]!]));
  }

  /** Keeps the logs of a run that has found something. @returns where they are. */
  async keepLogs(seed: number): Promise<string> {
    const kept = join(tmpdir(), `muster-chaos-${seed}-${process.pid}`);
    await cp(this.stack.dataDir, kept, {
      recursive: true,
      filter: (path) => !/\/(nats|creds|secrets\.json|stack\.json|stack\.lock)$/.test(path),
    });
    return kept;
  }

  async stop(): Promise<void> {
    try {
      await this.stack.stop();
    } finally {
      try {
        await this.database.stop();
      } finally {
        await removeScratch(this.scratch);
      }
    }
  }
}

const urlsOf = (processes: StackFile['processes'], wanted: (name: string) => boolean): string[] =>
  processes.flatMap(({ name, url }) => (url && wanted(name) ? [url] : []));
