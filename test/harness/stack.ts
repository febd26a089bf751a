import { administratorUser, type BusKeys } from '@muster/bus-auth';
import { doorOptions } from '@muster/bus-auth/connect';
import { serviceInbox, type DeviceQuery, type Job, type NewJob } from '@muster/contracts';
import { stopProcess } from '@muster/servers';
import { connect, type NatsConnection } from 'nats';
import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, rmSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { until } from './until.ts';

const ROOT = join(import.meta.dirname, '../..');
const READY_MS = 60_000;
const STOP_MS = 20_000;

export interface StackFile {
  gateway: { url: string };
  nats: { url: string; mqttUrl: string; creds: string };
  postgres: { url: string };
  token: string;
  project: string;
  processes: { name: string; pid: number; url?: string }[];
}

export interface Answer<Body> {
  status: number;
  headers: Headers;
  body: Body;
}

/** The whole product as `npm start -- --no-demo` runs it, in a data folder of its own. */
export class Stack {
  readonly dataDir: string;
  private readonly process: ChildProcess;
  private readonly children: ChildProcess[] = [];
  private connections: Promise<NatsConnection>[] = [];
  private administrator: Promise<NatsConnection> | undefined;
  private reader: Promise<NatsConnection> | undefined;

  private constructor(dataDir: string, child: ChildProcess) {
    this.dataDir = dataDir;
    this.process = child;
    process.once('exit', this.destroy);
  }

  /** `env`: settings of the stack beside its data folder and port. */
  static async start(env: NodeJS.ProcessEnv = {}): Promise<Stack> {
    const dataDir = await mkdtemp(join(tmpdir(), 'muster-test-'));
    const child = spawn(process.execPath, [join(ROOT, 'tools/stack/dist/main.js'), '--no-demo'], {
      env: { ...process.env, MUSTER_DATA_DIR: dataDir, MUSTER_PORT: '0', MUSTER_LOG_LEVEL: 'warn', ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let output = '';
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (chunk: Buffer) => (output += chunk.toString()));
    const stack = new Stack(dataDir, child);
    try {
      await until(
        'a ready stack',
        async () => {
          if (hasEnded(child)) throw new Error(`the stack did not start:\n${output}`);
          return stack.ready();
        },
        { timeout: READY_MS, interval: 100 },
      );
    } catch (error) {
      await stack.stop();
      throw error;
    }
    return stack;
  }

  /** What `stack.json` says now. */
  async file(): Promise<StackFile> {
    return JSON.parse(await readFile(join(this.dataDir, 'stack.json'), 'utf8')) as StackFile;
  }

  private async ready(): Promise<boolean> {
    try {
      const { gateway } = await this.file();
      return (await fetch(`${gateway.url}/readyz`)).ok;
    } catch {
      return false;
    }
  }

  /** Asks the gateway; `body` goes out as JSON. */
  async api<Body>(
    method: string,
    path: string,
    body?: unknown,
    headers: Record<string, string> = {},
  ): Promise<Answer<Body>> {
    const { gateway, token } = await this.file();
    const response = await fetch(gateway.url + path, {
      method,
      headers: {
        authorization: `Bearer ${token}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    });
    const text = await response.text();
    return { status: response.status, headers: response.headers, body: (text ? JSON.parse(text) : undefined) as Body };
  }

  /** Creates a job over the devices of a query (or the ids given) and gives its id. */
  async createJob(targets: string[] | DeviceQuery, job: Partial<NewJob> = {}): Promise<string> {
    const which = Array.isArray(targets) ? { targets } : { target_query: targets };
    const { status, body } = await this.api<{ job_id: string }>('POST', '/v2/demo/productmgr/jobs', {
      job_name: 'e2e',
      job_type: 'deployment_deploy',
      job_content: { target_type: 'node', ...which, task_data: '{"deployment":{"image":"nginx"}}' },
      ...job,
    });
    if (status !== 201) throw new Error(`create answered ${status} ${JSON.stringify(body)}`);
    return body.job_id;
  }

  async job(id: string): Promise<Job> {
    return (await this.api<Job>('GET', `/v2/demo/productmgr/jobs/${id}`)).body;
  }

  /** Waits until the job has one of these statuses. */
  async reached(id: string, ...statuses: Job['status'][]): Promise<Job> {
    let last: Job | undefined;
    await until(
      `job ${id} in ${statuses.join(' or ')}`,
      async () => {
        last = await this.job(id).catch(() => last);
        return last !== undefined && statuses.includes(last.status);
      },
      { timeout: 90_000 },
    );
    return last!;
  }

  /** Runs a simulated fleet against this stack until it is stopped; gives back when all of it has said hello, within `timeout` ms. */
  async fleet(args: string[], timeout = READY_MS): Promise<ChildProcess> {
    const child = spawn(process.execPath, [join(ROOT, 'apps/device-agent/dist/fleet.main.js'), ...args], {
      env: { ...process.env, MUSTER_DATA_DIR: this.dataDir },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    this.children.push(child);
    let output = '';
    child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
    await until(
      'a ready fleet',
      () => {
        if (hasEnded(child)) throw new Error(`the fleet stopped:\n${output}`);
        return output.includes('"ready":true');
      },
      { timeout, interval: 50 },
    );
    return child;
  }

  /** A connection that may do everything on the bus; services answer it as they answer the gateway. */
  nats(): Promise<NatsConnection> {
    return (this.administrator ??= this.administratorCreds().then((creds) =>
      this.open(creds, serviceInbox('gateway')),
    ));
  }

  /** A connection that reads the events and no more, as another system has it. */
  events(): Promise<NatsConnection> {
    return (this.reader ??= this.file().then(({ nats }) => this.open(nats.creds, '_INBOX')));
  }

  /** Path of credentials that open all of the bus. */
  async administratorCreds(): Promise<string> {
    const { bus } = JSON.parse(await readFile(join(this.dataDir, 'secrets.json'), 'utf8')) as { bus: BusKeys };
    const path = join(this.dataDir, 'creds', 'test.creds');
    await writeFile(path, await administratorUser({ account: bus.account, seed: bus.accountSeed }), { mode: 0o600 });
    return path;
  }

  private async open(creds: string, inbox: string): Promise<NatsConnection> {
    const { url } = (await this.file()).nats;
    const connection = connect({ ...doorOptions({ url, creds, inbox }), maxReconnectAttempts: -1 });
    this.connections.push(connection);
    return connection;
  }

  /** Kills a process of the stack as the operating system would, and waits until the stack has started it anew. */
  async kill(name: string): Promise<void> {
    const pidOf = async () => (await this.file()).processes.find((process) => process.name === name)?.pid;
    const before = await pidOf();
    if (!before) throw new Error(`the stack runs no ${name}`);
    process.kill(before, 'SIGKILL');
    await until(`a new ${name}`, async () => ![undefined, before].includes(await pidOf()), {
      timeout: READY_MS,
      interval: 50,
    });
  }

  /** `npm run rebuild` with these arguments, without the build before it. */
  rebuild(...args: string[]): Promise<{ code: number | string | null; stdout: string; stderr: string }> {
    return new Promise((resolve) => {
      execFile(
        process.execPath,
        [join(ROOT, 'tools/stack/dist/rebuild.js'), ...args],
        { env: { ...process.env, MUSTER_DATA_DIR: this.dataDir } },
        (error, stdout, stderr) => resolve({ code: error ? (error.code ?? null) : 0, stdout, stderr }),
      );
    });
  }

  async stop(): Promise<void> {
    try {
      for (const connection of await Promise.all(this.connections)) await connection.close();
      for (const child of this.children) await end(child);
    } finally {
      const pids = this.pids();
      // A stack that had to be killed has left its processes behind: they are launched to outlive it.
      if (await end(this.process)) for (const pid of pids) await stopProcess(pid, 'SIGKILL', STOP_MS);
      await rm(this.dataDir, { recursive: true, force: true });
      process.off('exit', this.destroy);
    }
  }

  /**
   * Ends all of it by force, for a process that exits without {@link stop}. The stack itself is told to stop: so it starts nothing again,
   * and ends what its file does not name yet. What somebody writes in that very moment stays in the data folder.
   */
  private readonly destroy = (): void => {
    this.process.kill('SIGTERM');
    for (const child of this.children) child.kill('SIGKILL');
    for (const pid of this.pids()) {
      try {
        process.kill(pid, 'SIGKILL');
      } catch {
        // It has ended by itself.
      }
    }
    rmSync(this.dataDir, { recursive: true, force: true, maxRetries: 5 });
  };

  /** What the stack has launched; nothing, when it has no file or none any more. */
  private pids(): number[] {
    try {
      const { processes } = JSON.parse(readFileSync(join(this.dataDir, 'stack.json'), 'utf8')) as StackFile;
      return processes.map(({ pid }) => pid);
    } catch {
      return [];
    }
  }
}

/** Ends a child. @returns whether it had to be killed. */
async function end(child: ChildProcess): Promise<boolean> {
  if (!hasEnded(child)) {
    const exit = once(child, 'exit');
    child.kill('SIGTERM');
    const patience = setTimeout(() => child.kill('SIGKILL'), STOP_MS);
    await exit;
    clearTimeout(patience);
  }
  return child.signalCode === 'SIGKILL';
}

const hasEnded = ({ exitCode, signalCode }: ChildProcess) => exitCode !== null || signalCode !== null;
