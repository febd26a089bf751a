import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import pg from 'pg';
import { Stack, type StackFile } from '../harness/stack.ts';
import { connectFleet, type Connecting } from './fleet.ts';
import { runJob, type JobPlan, type JobRun } from './job.run.ts';
import type { WatchedProcess } from './processes.ts';

/** Names of the first N devices, and of the 4 N that make it 5 N; a device query tells them apart by these prefixes. */
const ALL = 'load-';
const FIRST = `${ALL}n`;
const REST = `${ALL}m`;
/** The fleet names its devices with five digits: these are the 999 at most whose number begins with 00. */
const WARM_UP = `${FIRST}-00`;

/** What the rows share: one stack, its fleets, and the jobs that several rows look at; each is made when first asked for. */
export class BenchStack {
  /** N. */
  readonly devices: number;
  readonly stack: Stack;
  readonly file: StackFile;
  /** A session of the superuser. */
  readonly db: pg.Client;
  /** What the names of the N devices begin with, and no others do. */
  readonly prefix = `${FIRST}-`;
  private readonly say: (line: string) => void;
  private readonly fleets = new Map<string, ChildProcess>();
  private connecting: Promise<Connecting> | undefined;
  private runs: Promise<[JobRun, JobRun]> | undefined;
  private largeRun: Promise<JobRun> | undefined;

  private constructor(devices: number, stack: Stack, file: StackFile, db: pg.Client, say: (line: string) => void) {
    this.devices = devices;
    this.stack = stack;
    this.file = file;
    this.db = db;
    this.say = say;
  }

  /** @param say told what happens, a line each, for the one who waits. */
  static async start(devices: number, say: (line: string) => void): Promise<BenchStack> {
    const stack = await Stack.start();
    try {
      const file = await stack.file();
      const db = new pg.Client({ connectionString: file.postgres.url });
      await db.connect();
      return new BenchStack(devices, stack, file, db, say);
    } catch (error) {
      await stack.stop();
      throw error;
    }
  }

  async stop(): Promise<void> {
    await this.db.end().catch(() => undefined);
    await this.stack.stop();
  }

  /** The processes of the product with the servers it stands on; of Postgres with all its sessions. */
  async services(): Promise<WatchedProcess[]> {
    const { processes } = await this.stack.file();
    return processes.map(({ name, pid }) => ({ name, pid, tree: name === 'postgres' }));
  }

  /** {@link services} and the fleets that run. */
  async processes(): Promise<WatchedProcess[]> {
    const fleets = [...this.fleets].map(([prefix, { pid }]) => ({ name: `fleet ${prefix}`, pid: pid!, tree: false }));
    return [...(await this.services()), ...fleets];
  }

  /** Runs a fleet until the stack stops or the fleet is killed. `latency`: milliseconds from a command to its end, one number or a range. */
  async fleet(prefix: string, count: number, timeout: number, latency = '0'): Promise<ChildProcess> {
    const args = ['--count', String(count), '--prefix', prefix, '--latency', latency];
    const child = await this.stack.fleet(args, timeout);
    this.fleets.set(prefix, child);
    child.once('exit', () => this.fleets.delete(prefix));
    return child;
  }

  /** The N devices, online. */
  connected(): Promise<Connecting> {
    return (this.connecting ??= this.tell(`connecting ${this.devices} devices`, () =>
      connectFleet(this, FIRST, this.devices),
    ));
  }

  /** The N devices, online, take so many milliseconds for a command from now on. */
  async reconnect(latency: string): Promise<void> {
    const connected = this.fleets.get(FIRST);
    if (connected) {
      connected.kill('SIGTERM');
      await once(connected, 'exit');
    }
    this.connecting = this.tell(`connecting ${this.devices} devices that take ${latency} ms`, () =>
      connectFleet(this, FIRST, this.devices, latency),
    );
    await this.connecting;
  }

  /** Two jobs over N devices, after a small one that warms everything up. An outside subscriber counts the events of the first. */
  jobs(): Promise<[JobRun, JobRun]> {
    return (this.runs ??= (async () => {
      await this.warmUp();
      return [await this.job({ counted: true }), await this.job({ counted: false })];
    })());
  }

  /** A job over 5 N devices. */
  largeJob(): Promise<JobRun> {
    return (this.largeRun ??= (async () => {
      await this.jobs();
      await this.tell(`connecting ${4 * this.devices} more devices`, () => connectFleet(this, REST, 4 * this.devices));
      return this.tell(`a job over ${5 * this.devices} devices`, () =>
        runJob(this, { prefix: ALL, devices: 5 * this.devices, counted: false }),
      );
    })());
  }

  /** One more job over N devices. */
  async job(options: Pick<JobPlan, 'counted' | 'beside'>): Promise<JobRun> {
    await this.connected();
    return this.tell(`a job over ${this.devices} devices`, () =>
      runJob(this, { prefix: this.prefix, devices: this.devices, ...options }),
    );
  }

  /** The jobs that came to their end, the faster of those over N first. */
  async finishedRuns(): Promise<JobRun[]> {
    const small = (await this.runs?.catch(() => undefined)) ?? [];
    const large = await this.largeRun?.catch(() => undefined);
    const fastest = small.toSorted((a, b) => a.seconds - b.seconds)[0];
    return [fastest, large].filter((run) => run !== undefined);
  }

  private async warmUp(): Promise<void> {
    await this.connected();
    await this.tell('a small job to warm up', () =>
      runJob(this, { prefix: WARM_UP, devices: Math.min(this.devices, 999), counted: false }),
    );
  }

  private async tell<T>(what: string, does: () => Promise<T>): Promise<T> {
    const began = performance.now();
    this.say(`${what} …`);
    const result = await does();
    this.say(`${what}: ${((performance.now() - began) / 1000).toFixed(1)} s`);
    return result;
  }
}
