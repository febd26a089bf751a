import {
  CancelMessage,
  CommandMessage,
  deviceInbox,
  deviceSubject,
  HEARTBEAT_SECONDS,
  MAX_DEVICE_PAYLOAD,
  type ChannelName,
  type Hello,
} from '@muster/contracts';
import { release, type as osType } from 'node:os';
import { join } from 'node:path';
import type { Msg, NatsConnection } from 'nats';
import { connectForever, leave, watchConnection } from '../device/bus.js';
import { readPayload, traceHeaders, traceOf } from '../device/payload.js';
import { untilSuccess } from '../device/retry.js';
import { packageVersion } from '../process/package-version.js';
import type { AgentOptions } from './agent.options.js';
import { bootId } from './boot-id.js';
import { CommandExecutor } from './command.executor.js';
import { CommandMemory } from './command.memory.js';
import { listHandlers } from './handler.find.js';
import { reasonOf, type Log } from './log.js';
import { Outbox } from './outbox.js';
import { ReportedState } from './reported.state.js';

const ACK_TIMEOUT_MS = 5_000;
const HANDLER_GRACE_MS = 2_000;
const FLUSH_GRACE_MS = 2_000;

/** The reference agent: one device on the bus (interfaces §8), which runs a handler for each command. */
export class Agent {
  readonly #outbox: Outbox;
  readonly #reported: ReportedState;
  readonly #executor: CommandExecutor;
  readonly #bootId: string;
  readonly #stopped = new AbortController();
  #nc: NatsConnection | undefined;
  #heartbeat: NodeJS.Timeout | undefined;
  #helloRound = new AbortController();
  #accept: () => void = () => undefined;
  readonly #accepted = new Promise<void>((resolve) => {
    this.#accept = resolve;
  });

  constructor(
    readonly options: AgentOptions,
    readonly log: Log,
  ) {
    this.#outbox = new Outbox(join(options.state, 'outbox'), log);
    this.#reported = new ReportedState(join(options.state, 'reported.json'), log);
    this.#bootId = bootId(options.state, options.bootId);
    this.#executor = new CommandExecutor({
      handlers: options.handlers,
      memory: new CommandMemory(join(options.state, 'commands')),
      say: (outgoing) => {
        if (outgoing.channel === 'report') this.#reported.apply(outgoing.payload.reported);
        this.#outbox.add(outgoing);
      },
      bootId: this.#bootId,
      log,
    });
    this.#executor.settleReboots();
  }

  /** Resolves once the device is on the bus and its hello is kept; waits for a server as long as it takes. */
  async start(): Promise<void> {
    const { signal } = this.#stopped;
    const { nats: url, creds, ca, project, device } = this.options;
    const nc = await connectForever(
      { url, name: `muster-agent ${device}`, creds, ca, inbox: deviceInbox(project, device) },
      { signal, failed: this.#warn('bus not reached yet') },
    );
    this.#nc = nc;
    this.log('info', 'connected', { server: nc.getServer() });
    void watchConnection(nc, {
      lost: () => this.log('warn', 'connection lost'),
      back: () => {
        this.log('info', 'connected again', { server: nc.getServer() });
        void this.#hello(nc);
      },
    });

    nc.subscribe(this.#subject('command'), {
      callback: (_error, message) =>
        this.#read(message, () =>
          this.#executor.receive({ message: readPayload(CommandMessage, message), traceparent: traceOf(message) }),
        ),
    });
    nc.subscribe(this.#subject('cancel'), {
      callback: (_error, message) =>
        this.#read(message, () => this.#executor.cancel(readPayload(CancelMessage, message), traceOf(message))),
    });
    // The answer to hello is every command that waits: the server must know the subscriptions by then.
    await untilSuccess(() => nc.flush(), { signal });
    this.#outbox.open(async ({ id, channel, payload, traceparent }) => {
      await this.#publish(nc, channel, payload, { msgID: id, traceparent });
    });
    this.#heartbeat = setInterval(() => nc.publish(this.#subject('heartbeat'), '{}'), HEARTBEAT_SECONDS * 1000);
    void this.#hello(nc);
    await this.#accepted;
  }

  /** Takes no more commands, ends those that run, sends what is left to say, and leaves the bus; bounded in time. */
  async stop(): Promise<void> {
    clearInterval(this.#heartbeat);
    await this.#executor.stop(HANDLER_GRACE_MS);
    await this.#outbox.close(FLUSH_GRACE_MS);
    this.#stopped.abort();
    this.#helloRound.abort();
    if (this.#nc) await leave(this.#nc);
  }

  async #hello(nc: NatsConnection): Promise<void> {
    this.#helloRound.abort();
    this.#helloRound = new AbortController();
    const { signal } = this.#helloRound;
    try {
      await untilSuccess(
        async () => {
          await this.#publish(nc, 'hello', this.#introduction(), {});
        },
        { signal, failed: this.#warn('hello not taken yet') },
      );
      this.log('info', 'hello accepted');
      this.#accept();
    } catch (error) {
      if (!signal.aborted) throw error;
    }
  }

  /** Says all that this device has reported before, too, so that a server that has lost it learns it again. */
  #introduction(): Hello {
    const facts = { os: { type: osType(), release: release() }, handlers: listHandlers(this.options.handlers) };
    const reported = { ...this.#reported.document, ...facts };
    const hello: Hello = { agent: 'muster-agent', version: packageVersion, boot_id: this.#bootId, reported };
    if (Buffer.byteLength(JSON.stringify(hello)) <= MAX_DEVICE_PAYLOAD) return hello;
    this.log('warn', 'reported state left out of the hello: too large');
    return { ...hello, reported: facts };
  }

  async #publish(
    nc: NatsConnection,
    channel: ChannelName,
    payload: object,
    { msgID, traceparent }: { msgID?: string; traceparent?: string | undefined },
  ): Promise<void> {
    const headers = traceHeaders(traceparent);
    await nc.jetstream().publish(this.#subject(channel), JSON.stringify(payload), {
      timeout: ACK_TIMEOUT_MS,
      ...(msgID !== undefined && { msgID }),
      ...(headers && { headers }),
    });
  }

  #read(message: Msg, use: () => void): void {
    try {
      use();
    } catch (error) {
      this.log('warn', 'message dropped', { subject: message.subject, reason: reasonOf(error) });
    }
  }

  #warn(msg: string): (error: unknown, attempt: number) => void {
    return (error, attempt) => {
      if (attempt === 1) this.log('warn', msg, { reason: reasonOf(error) });
    };
  }

  #subject(channel: ChannelName): string {
    return deviceSubject(this.options.project, this.options.device, channel);
  }
}
