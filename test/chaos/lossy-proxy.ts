import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { pipeline, Transform, type TransformCallback } from 'node:stream';
import { AnswerReader } from './answers.ts';
import type { Random } from './random.ts';

/** How long a caller hears nothing before its connection breaks; `never`: until the heal, so that its own time-out comes first. */
type Silence = number | 'never';

const LATE_MS = { from: 1_000, to: 8_000 };

/**
 * A way to a Postgres server on which answers get lost: for a share of the commits the server carries them out, and the caller hears nothing of
 * it, only a connection that breaks: at once, after seconds, or never.
 */
export class LossyProxy {
  /** Share of the commits whose answer is lost, 0 to 1. */
  share = 0;
  /** How many were. */
  lost = 0;
  private readonly target: URL;
  private readonly random: Random;
  private readonly sockets = new Set<Socket>();
  private readonly silenced = new Set<() => void>();
  private readonly server: Server;

  private constructor(target: URL, random: Random) {
    this.target = target;
    this.random = random;
    this.server = createServer((near) => this.accept(near));
  }

  static async to(url: string, random: Random): Promise<LossyProxy> {
    const proxy = new LossyProxy(new URL(url), random);
    await new Promise<void>((resolve) => proxy.server.listen(0, '127.0.0.1', resolve));
    return proxy;
  }

  /** The URL that leads through the proxy. */
  get url(): string {
    const url = new URL(this.target);
    url.port = String((this.server.address() as AddressInfo).port);
    return url.href;
  }

  /** From now on nothing is lost, and whoever still waits for a lost answer is told that the connection is broken. */
  heal(): void {
    this.share = 0;
    for (const cut of this.silenced) cut();
  }

  async stop(): Promise<void> {
    const closed = new Promise((resolve) => this.server.close(resolve));
    for (const socket of this.sockets) socket.destroy();
    await closed;
  }

  private accept(near: Socket): void {
    const far = connect({ host: this.target.hostname, port: Number(this.target.port), noDelay: true });
    near.setNoDelay(true);
    const close = () => {
      near.destroy();
      far.destroy();
    };
    for (const socket of [near, far]) {
      this.sockets.add(socket);
      socket.on('close', () => this.sockets.delete(socket));
    }
    pipeline(near, far, close);
    pipeline(far, this.tap(close), near, close);
  }

  /** Passes a server's answers on until one is lost; from then on the session is mute, and ends when its silence is over. */
  private tap(close: () => void): Transform {
    const reader = new AnswerReader();
    let mute = false;
    let lost = false;
    const transform = (chunk: Buffer, _: BufferEncoding, done: TransformCallback) => {
      for (const { bytes, tells } of reader.read(chunk)) {
        if (!mute && tells === 'committed') mute = this.random.chance(this.share);
        if (!mute) tap.push(bytes);
        // Only now the commit is sure: a write without a transaction is committed after its completion was told.
        else if (tells === 'ready' && !lost) {
          lost = true;
          this.silence(close);
        }
      }
      done();
    };
    const tap = new Transform({ transform });
    return tap;
  }

  private silence(close: () => void): void {
    this.lost++;
    const silence = this.drawSilence();
    if (silence === 0) return close();
    const timer = silence === 'never' ? undefined : setTimeout(() => cut(), silence);
    const cut = () => {
      clearTimeout(timer);
      this.silenced.delete(cut);
      close();
    };
    this.silenced.add(cut);
  }

  private drawSilence(): Silence {
    const draw = this.random.next();
    if (draw < 0.6) return 0;
    return draw < 0.9 ? this.random.between(LATE_MS.from, LATE_MS.to) : 'never';
  }
}
