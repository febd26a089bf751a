import { join } from 'node:path';
import { SERVICES, type ServiceName } from '@muster/contracts';
import { provision } from '@muster/persistence';
import { freePort, portIsFree, startNats, startPostgres, type NatsServer } from '@muster/servers';
import { busAuthentication, busEnvironment, busUsers, writeBusUsers, type BusUsers } from './bus-users.js';
import type { DataFolder } from './data-folder.js';
import { messageOf, StackError } from './errors.js';
import { checkNats, checkPostgres } from './external.js';
import { keepPorts, keptPorts, type BusPorts } from './kept-ports.js';
import { LogFile } from './log-file.js';
import { startNode, type NodeProgram } from './node-process.js';
import type { StackOptions } from './options.js';
import { keepSecrets, type Secrets } from './secrets.js';
import type { StackDocument, StackFile } from './stack-file.js';
import { Supervisor, type Starter } from './supervisor.js';
import { serviceScript } from './workspace.js';

/** The processes of one start, in the groups in which they are started and, in reverse order, stopped. */
export class Stack {
  private readonly groups: Supervisor[][] = [];
  private readonly logs: LogFile[] = [];
  private stopped: Promise<void> | undefined;
  private databaseUrl = '';
  private bus: Pick<NatsServer, 'url'> & { mqttUrl: string | null } = { url: '', mqttUrl: null };
  /** Of our own bus. */
  private users: BusUsers | undefined;
  private gatewayUrl = '';
  private adminToken = '';

  constructor(
    private readonly options: StackOptions,
    private readonly folder: DataFolder,
    private readonly file: StackFile,
    private readonly say: (line: string) => void,
  ) {}

  get gateway(): string {
    return this.gatewayUrl;
  }

  /** The bus, as `stack.json` tells of it. */
  get nats(): StackDocument['nats'] {
    const { fleetCreds = null, natsCa: ca = null } = this.options;
    return {
      url: this.bus.url,
      mqttUrl: this.bus.mqttUrl,
      creds: this.users?.reader ?? null,
      fleetCreds: this.users?.fleet ?? fleetCreds,
      ca,
    };
  }

  get token(): string {
    return this.adminToken;
  }

  /**
   * Starts Postgres and NATS, then the services.
   * @throws StackError, ServerError: what was started until then is left for {@link stop}.
   */
  async start(): Promise<void> {
    const port = await this.gatewayPort();
    const secrets = await keepSecrets(
      this.folder.secrets,
      SERVICES,
      this.options.databaseUrl ? undefined : this.folder.postgres,
    );
    this.adminToken = this.options.adminToken ?? secrets.token;

    const servers = [
      ...(this.options.databaseUrl ? [] : [this.supervise('postgres', this.postgres(secrets.postgres))]),
      ...(this.options.natsUrl ? [] : [this.supervise('nats-server', await this.ownBus(secrets))]),
    ];
    await Promise.all([this.useExternal(), this.startGroup(servers)]);

    const urls = await provision(
      this.databaseUrl,
      SERVICES.map((name) => ({ name, password: secrets.services[name] })),
    ).catch((error: unknown) => {
      throw new StackError(`the services get no place in the database: ${messageOf(error)}`);
    });
    const replicas = (name: ServiceName) =>
      Array.from({ length: this.options.replicas }, (_, index) => {
        const own = this.options.replicas > 1 ? `${name}-${index + 1}` : name;
        const firstPort = name === 'gateway' && index === 0 ? port : 0;
        return this.supervise(own, this.service(name, own, urls[name]!, firstPort));
      });
    // The gateway is the first to be stopped, so that it takes no request that nobody answers.
    const rest = SERVICES.filter((name) => name !== 'gateway').flatMap(replicas);
    const gateway = replicas('gateway');
    await Promise.all([this.startGroup(rest), this.startGroup(gateway)]);
    this.gatewayUrl = gateway[0]!.current?.url ?? '';
    await this.writeFile();
  }

  /** Starts more programs of ours beside the services, each kept running. */
  async startPrograms(programs: readonly (Omit<NodeProgram, 'log'> & { name: string })[]): Promise<void> {
    await this.startGroup(
      programs.map(({ name, ...program }) => {
        const log = this.log(name);
        return this.supervise(name, (signal) => startNode({ ...program, log }, signal));
      }),
    );
  }

  /** Stops everything that was started, in reverse order. Asking again waits for the same stop. */
  stop(): Promise<void> {
    this.stopped ??= (async () => {
      for (const group of this.groups.toReversed()) await Promise.all(group.map((each) => each.stop()));
      await this.file.remove();
      for (const log of this.logs) log.close();
    })();
    return this.stopped;
  }

  /** Ends every process at once, by force. */
  kill(): void {
    for (const { current } of this.groups.flat()) {
      if (!current) continue;
      try {
        process.kill(current.pid, 'SIGKILL');
      } catch {
        // It ended by itself.
      }
    }
  }

  private async gatewayPort(): Promise<number> {
    const { port } = this.options;
    if (port === 0) return freePort();
    if (await portIsFree(port)) return port;
    throw new StackError(
      `port ${port} is in use: set MUSTER_PORT to another one for the gateway, or to 0 for any free one`,
    );
  }

  private async useExternal(): Promise<void> {
    const { databaseUrl, natsUrl } = this.options;
    if (databaseUrl) {
      await checkPostgres(databaseUrl);
      this.databaseUrl = databaseUrl;
    }
    if (natsUrl) {
      await checkNats({ ...this.options, natsUrl });
      this.bus = { url: natsUrl, mqttUrl: null };
    }
  }

  private postgres(password: string): Starter {
    const log = this.log('postgres');
    let port: number | undefined;
    return async () => {
      const server = await startPostgres({
        dataDir: this.folder.postgres,
        password,
        onLog: log.write,
        ...(port ? { port } : {}),
      });
      port = server.port;
      this.databaseUrl = server.url;
      return server;
    };
  }

  private async ownBus({ bus: keys }: Pick<Secrets, 'bus'>): Promise<Starter> {
    const log = this.log('nats-server');
    this.users = busUsers(this.folder.creds);
    await writeBusUsers(this.users, keys, this.options.project);
    const authentication = busAuthentication(keys);
    const { tls } = this.options;
    let ports: BusPorts | undefined;
    return async () => {
      ports ??= await keptPorts(this.folder.ports);
      const server = await startNats({ dataDir: this.folder.nats, authentication, tls, onLog: log.write, ...ports });
      ports = { port: server.port, mqttPort: server.mqttPort };
      await keepPorts(this.folder.ports, ports);
      this.bus = server;
      return server;
    };
  }

  /** `own`: what this replica is called. */
  private service(name: ServiceName, own: string, databaseUrl: string, firstPort: number): Starter {
    const log = this.log(own);
    let port = firstPort;
    return async (signal) => {
      const env: NodeJS.ProcessEnv = {
        ...(this.bus.mqttUrl !== null && { MUSTER_DEVICE_MQTT_URL: this.bus.mqttUrl }),
        ...process.env,
        MUSTER_DATABASE_URL: databaseUrl,
        MUSTER_NATS_URL: this.bus.url,
        ...(this.users ? busEnvironment(this.users, name) : {}),
        MUSTER_HTTP_PORT: String(port),
        MUSTER_PROJECT: this.options.project,
      };
      delete env.MUSTER_ADMIN_TOKEN;
      if (name === 'gateway') env.MUSTER_ADMIN_TOKEN = this.adminToken;
      const running = await startNode({ script: serviceScript(name), env, log }, signal);
      if (running.url) port = Number(new URL(running.url).port);
      return running;
    };
  }

  private log(name: string): LogFile {
    const log = new LogFile(join(this.folder.logs, `${name.replaceAll(' ', '-')}.log`));
    this.logs.push(log);
    return log;
  }

  private supervise(name: string, starter: Starter): Supervisor {
    const changed = () => {
      this.writeFile().catch((error: unknown) => this.say(`stack.json cannot be written: ${messageOf(error)}`));
    };
    return new Supervisor(name, starter, { changed, say: this.say });
  }

  /** Waits for all of the group, so that none is still starting when the first failure is known. */
  private async startGroup(group: Supervisor[]): Promise<void> {
    if (this.stopped) throw new StackError('the stack is being stopped');
    this.groups.push(group);
    const results = await Promise.allSettled(group.map((each) => each.start()));
    const failed = results.find((result) => result.status === 'rejected');
    if (failed) throw failed.reason;
  }

  /** Nothing is told before the gateway can be, and nothing after the stop began. */
  private async writeFile(): Promise<void> {
    if (!this.gatewayUrl || this.stopped) return;
    const processes = this.groups.flat().flatMap(({ name, current }) => {
      const url = name === 'postgres' || name === 'nats-server' ? undefined : current?.url;
      return current ? [{ name, pid: current.pid, ...(url ? { url } : {}) }] : [];
    });
    await this.file.write({
      gateway: { url: this.gatewayUrl },
      nats: this.nats,
      postgres: { url: this.databaseUrl },
      token: this.adminToken,
      project: this.options.project,
      processes,
    });
  }
}
