import { setTimeout as delay } from 'node:timers/promises';
import type { Device, Job, NewDevice, NewJob } from '@muster/contracts';
import { StackError } from './errors.js';

/** A node and its id. */
export interface RegisteredNode {
  id: string;
  node: NewDevice;
}

interface BulkLine {
  line: number;
  status: 'created' | 'exists' | 'error';
  id?: string;
  message?: string;
}

const LINES_PER_REQUEST = 1_000;
const PAGE = 1_000;
/** A gateway that is being restarted is away for seconds. */
const PATIENCE_MS = 30_000;
const RETRY_MS = 500;
const REQUEST_MS = 30_000;

/** What the demo asks of the gateway, over HTTP like any client. */
export class GatewayClient {
  constructor(
    private readonly url: string,
    private readonly token: string,
    private readonly project: string,
    private readonly signal: AbortSignal,
  ) {}

  /**
   * Registers nodes, or finds those that exist by their names.
   * @returns each with its id, in the same order.
   * @throws StackError with the reason of the first that was refused.
   */
  async register(nodes: readonly NewDevice[]): Promise<RegisteredNode[]> {
    const registered: RegisteredNode[] = [];
    for (let at = 0; at < nodes.length; at += LINES_PER_REQUEST) {
      const part = nodes.slice(at, at + LINES_PER_REQUEST);
      const body = part.map((node) => `${JSON.stringify(node)}\n`).join('');
      const answer = await this.request('POST', '/api/v1/devices/bulk', body, 'application/x-ndjson');
      const lines = answer.split('\n').filter(Boolean);
      if (lines.length !== part.length)
        throw new StackError(`the gateway answered ${lines.length} of ${part.length} devices`);
      lines.forEach((text, index) => {
        const { status, id, message } = JSON.parse(text) as BulkLine;
        const node = part[index]!;
        if (status === 'error' || !id) throw new StackError(`device ${node.name} was not registered: ${message}`);
        registered.push({ id, node });
      });
    }
    return registered;
  }

  /** How many of `ids` are online. */
  async countOnline(ids: ReadonlySet<string>): Promise<number> {
    let online = 0;
    let after: string | null = null;
    do {
      const query: string = new URLSearchParams({ limit: String(PAGE), ...(after ? { after } : {}) }).toString();
      const page = JSON.parse(await this.request('GET', `/api/v1/devices?${query}`)) as {
        devices: Device[];
        next: string | null;
      };
      online += page.devices.filter((device) => device.online && ids.has(device.id)).length;
      after = page.next;
    } while (after);
    return online;
  }

  async createJob(job: NewJob, idempotencyKey: string): Promise<string> {
    const headers = { 'idempotency-key': idempotencyKey };
    const answer = await this.request('POST', this.jobs(), JSON.stringify(job), 'application/json', headers);
    return (JSON.parse(answer) as { job_id: string }).job_id;
  }

  async getJob(id: string): Promise<Job> {
    return JSON.parse(await this.request('GET', this.jobs(id))) as Job;
  }

  /** URL of a job, for people. */
  jobUrl(id: string): string {
    return this.url + this.jobs(id);
  }

  private jobs(id?: string): string {
    return `/v2/${this.project}/productmgr/jobs${id === undefined ? '' : `/${id}`}`;
  }

  /** Asks until there is an answer: everything asked here may be asked twice. */
  private async request(
    method: string,
    path: string,
    body?: string,
    type?: string,
    headers: object = {},
  ): Promise<string> {
    const deadline = Date.now() + PATIENCE_MS;
    for (;;) {
      const failure = await this.tryOnce(method, path, body, type, headers);
      if ('text' in failure) return failure.text;
      if (!failure.passing || Date.now() > deadline) throw new StackError(`${method} ${path}: ${failure.reason}`);
      await delay(RETRY_MS, undefined, { signal: this.signal });
    }
  }

  private async tryOnce(
    method: string,
    path: string,
    body: string | undefined,
    type: string | undefined,
    headers: object,
  ): Promise<{ text: string } | { reason: string; passing: boolean }> {
    this.signal.throwIfAborted();
    try {
      const response = await fetch(this.url + path, {
        method,
        ...(body === undefined ? {} : { body }),
        headers: { authorization: `Bearer ${this.token}`, ...(type ? { 'content-type': type } : {}), ...headers },
        signal: AbortSignal.any([this.signal, AbortSignal.timeout(REQUEST_MS)]),
      });
      const text = await response.text();
      if (response.ok) return { text };
      return { reason: `${response.status} ${text.slice(0, 300)}`, passing: response.status >= 502 };
    } catch (error) {
      this.signal.throwIfAborted();
      const { message, cause } = error as Error;
      return { reason: cause instanceof Error && cause.message ? cause.message : message, passing: true };
    }
  }
}
