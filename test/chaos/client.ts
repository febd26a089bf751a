import { setTimeout as delay } from 'node:timers/promises';

const TRY_MS = 10_000;
const PAUSE_MS = { first: 100, most: 2_000 };

/** The last answer to a request. `tries`: how often it was asked. */
export interface Reply<Body> {
  status: number;
  body: Body;
  tries: number;
}

/** What the run remembers of all its requests. */
export interface ClientCounts {
  answered: number;
  repeated: number;
  /** Answers 500: the product did not know what had gone wrong. */
  unexpected: number;
}

/**
 * Asks the gateways as a careful client does: what got no answer, or a 5xx, is asked again, at another gateway, with the same
 * `Idempotency-Key`.
 */
export class Client {
  readonly counts: ClientCounts = { answered: 0, repeated: 0, unexpected: 0 };
  private readonly gateways: readonly string[];
  private readonly token: string;
  private next = 0;

  constructor(gateways: readonly string[], token: string) {
    this.gateways = gateways;
    this.token = token;
  }

  /** @throws once `signal` is aborted: then nobody knows what became of the request. */
  async ask<Body>(
    method: string,
    path: string,
    { body, key, signal }: { body?: unknown; key?: string; signal: AbortSignal },
  ): Promise<Reply<Body>> {
    let pause = PAUSE_MS.first;
    for (let tries = 1; ; tries++) {
      signal.throwIfAborted();
      const gateway = this.gateways[this.next++ % this.gateways.length]!;
      const reply = await this.once<Body>(method, gateway + path, body, key).catch(() => undefined);
      if (reply?.status === 500) this.counts.unexpected++;
      if (reply && reply.status < 500) {
        this.counts.answered++;
        return { ...reply, tries };
      }
      this.counts.repeated++;
      await delay(pause, undefined, { signal });
      pause = Math.min(pause * 2, PAUSE_MS.most);
    }
  }

  private async once<Body>(method: string, url: string, body: unknown, key: string | undefined) {
    const response = await fetch(url, {
      method,
      headers: {
        authorization: `Bearer ${this.token}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...(key === undefined ? {} : { 'idempotency-key': key }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      signal: AbortSignal.timeout(TRY_MS),
    });
    const text = await response.text();
    return { status: response.status, body: (text ? JSON.parse(text) : undefined) as Body };
  }
}
