import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { Client } from './client.ts';
import {
  nextPause,
  planRequest,
  type FollowUp,
  type PlannedPipeline,
  type Request,
  type RunFollowUp,
  type Surroundings,
} from './plan.ts';
import type { Random } from './random.ts';

/** What the product has said yes to, and so must keep. `mark`: an attribute that a patch has set. */
export interface Accepted {
  jobs: { id: string; name: string }[];
  cancelled: string[];
  commands: string[];
  cancelledCommands: string[];
  operations: string[];
  cancelledOperations: string[];
  runs: { id: string; name: string }[];
  cancelledRuns: string[];
  registered: { id: string; name: string }[];
  patched: { id: string; mark: string }[];
}

/** Requests that wait for their answer, at most: a product that answers nothing is not asked ever more. */
const MOST_OPEN = 64;

const JOBS = '/v2/demo/productmgr/jobs';
const DEVICES = '/api/v1/devices';
const COMMANDS = '/api/commands/v0/commands';
const OPERATIONS = '/api/v0/operations';
export const PIPELINES = '/api/pipelines/v0';

/** Keeps asking for jobs, registrations and changes, and remembers what was accepted. */
export class Load {
  readonly accepted: Accepted = {
    ...{ jobs: [], cancelled: [], registered: [], patched: [] },
    ...{ commands: [], cancelledCommands: [], operations: [], cancelledOperations: [], runs: [], cancelledRuns: [] },
  };
  /** What the product refused although it must not. */
  readonly refused: string[] = [];
  private readonly client: Client;
  private readonly random: Random;
  private readonly surroundings: Surroundings;
  private readonly open = new Set<Promise<void>>();
  private readonly ended = new AbortController();
  private number = 0;
  /** One for each run on the same data would still be needed: keys are remembered for a day. */
  private readonly run = randomUUID();

  constructor(client: Client, random: Random, surroundings: Surroundings) {
    this.client = client;
    this.random = random;
    this.surroundings = surroundings;
  }

  /** Asks until `signal` is aborted; requests that are under way then go on until {@link settle}. */
  async start(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      this.ask((number) => planRequest(this.random, number, this.surroundings), signal);
      await delay(nextPause(this.random), undefined, { signal }).catch(() => undefined);
      while (this.open.size >= MOST_OPEN && !signal.aborted) await Promise.race(this.open);
    }
  }

  /** Asks for what `plan` gives for the request's number; what follows from it comes only as long as `signal` is not aborted. */
  ask(plan: (number: number) => Request, signal: AbortSignal): void {
    const number = this.number++;
    this.track(this.carryOut(plan(number), number, signal));
  }

  /** Waits until every request is answered. @returns how many are not after `ms` milliseconds. */
  async settle(ms: number): Promise<number> {
    const patience = delay(ms, true, { signal: this.ended.signal }).catch(() => true);
    while (this.open.size > 0) {
      if (await Promise.race([patience, Promise.race(this.open).then(() => false)])) break;
    }
    const unanswered = this.open.size;
    this.ended.abort();
    await Promise.all(this.open);
    return unanswered;
  }

  private track(work: Promise<void>): void {
    const tracked: Promise<void> = work
      // Given up; settle() has counted it.
      .catch(() => undefined)
      .finally(() => this.open.delete(tracked));
    this.open.add(tracked);
  }

  private async carryOut(request: Request, number: number, running: AbortSignal): Promise<void> {
    const { signal } = this.ended;
    const key = `${this.run} ${number}`;
    switch (request.kind) {
      case 'job': {
        const body = request.job;
        const reply = await this.client.ask<{ job_id: string }>('POST', JOBS, { body, key, signal });
        if (!this.expect(reply.status, [201], `create job ${body.job_name}`, reply.body)) return;
        this.accepted.jobs.push({ id: reply.body.job_id, name: body.job_name });
        return this.followUp(reply.body.job_id, request.followUps, running);
      }
      case 'command': {
        const body = request.request;
        const reply = await this.client.ask<{ content: { id: string } }>('POST', COMMANDS, { body, key, signal });
        if (!this.expect(reply.status, [201], 'create a command request', reply.body)) return;
        const { id } = reply.body.content;
        this.accepted.commands.push(id);
        if (await this.cancel(`${COMMANDS}/${id}`, request.cancelAfter, running))
          this.accepted.cancelledCommands.push(id);
        return;
      }
      case 'operation': {
        const body = request.operation;
        const reply = await this.client.ask<{ id: string }>('POST', OPERATIONS, { body, key, signal });
        if (!this.expect(reply.status, [201], 'create an operation', reply.body)) return;
        const { id } = reply.body;
        this.accepted.operations.push(id);
        if (await this.cancel(`${OPERATIONS}/${id}`, request.cancelAfter, running))
          this.accepted.cancelledOperations.push(id);
        return;
      }
      case 'run': {
        const run = await this.startRun(request.pipeline, key);
        if (run === undefined) return;
        this.accepted.runs.push({ id: run, name: request.pipeline.name });
        return this.followUpRun(run, request.followUps, running);
      }
      case 'register': {
        const body = { name: request.name, type: 'sensor' };
        const reply = await this.client.ask<{ id: string }>('POST', DEVICES, { body, key, signal });
        if (this.expect(reply.status, [201], `register ${body.name}`, reply.body))
          this.accepted.registered.push({ id: reply.body.id, name: body.name });
        return;
      }
      case 'patch': {
        const { device, mark, desired } = request;
        const body = { attributes: { [mark]: true }, desired };
        const reply = await this.client.ask('PATCH', `${DEVICES}/${device}`, { body, signal });
        if (this.expect(reply.status, [200], `patch ${device}`, reply.body))
          this.accepted.patched.push({ id: device, mark });
        return;
      }
    }
  }

  /** Defines a pipeline and starts its run. @returns its id; undefined where something was refused. */
  private async startRun({ name, devices, stages }: PlannedPipeline, key: string): Promise<string | undefined> {
    let asked = 0;
    const create = async (path: string, body: unknown): Promise<string> => {
      const what = `${path} of ${name}`;
      const reply = await this.client.ask<{ content: { id: string } }>('POST', PIPELINES + path, {
        body,
        key: `${key} ${asked++}`,
        signal: this.ended.signal,
      });
      if (!this.expect(reply.status, [200], what, reply.body)) throw new Error(`${what} was refused`);
      return reply.body.content.id;
    };
    try {
      const pipeline = await create('/pipelines/', { name });
      const lists = `/pipelines/${pipeline}/targetlists/`;
      const target_list_id = await create(lists, { name, target_list_type: 'DEVICES' });
      await create(`${lists}${target_list_id}/targets-bulk/`, devices);
      for (const { stage, operations } of stages) {
        const id = await create(`/pipelines/${pipeline}/stages/`, stage);
        await create(`/stages/${id}/targetlists/`, { target_list_id });
        const list = await create(`/stages/${id}/operationlists/`, { name });
        for (const operation of operations) await create(`/operationlists/${list}/operations/`, operation);
      }
      return await create(`/pipelines/${pipeline}/runs/`, {});
    } catch (error) {
      if (this.ended.signal.aborted) throw error;
      return undefined;
    }
  }

  private async followUpRun(id: string, followUps: readonly RunFollowUp[], running: AbortSignal): Promise<void> {
    const started = Date.now();
    for (const { after, status } of followUps) {
      await delay(Math.max(0, started + after - Date.now()), undefined, { signal: running }).catch(() => undefined);
      if (running.aborted) return;
      const body = { status };
      const reply = await this.client.ask('PUT', `${PIPELINES}/runs/${id}/`, { body, signal: this.ended.signal });
      // 400: the run is not, or no longer, in a status that allows it.
      this.expect(reply.status, [200, 400], `set run ${id} ${status}`, reply.body);
      if (reply.status === 200 && status === 'cancelled') this.accepted.cancelledRuns.push(id);
    }
  }

  private async followUp(id: string, followUps: readonly FollowUp[], running: AbortSignal): Promise<void> {
    const created = Date.now();
    for (const { after, action } of followUps) {
      await delay(Math.max(0, created + after - Date.now()), undefined, { signal: running }).catch(() => undefined);
      if (running.aborted) return;
      const reply = await this.client.ask('POST', `${JOBS}/${id}/${action}`, { signal: this.ended.signal });
      // 409: the job is no longer, or not yet, in a state that allows it.
      this.expect(reply.status, [200, 409], `${action} job ${id}`, reply.body);
      if (reply.status === 200 && action === 'cancel') this.accepted.cancelled.push(id);
    }
  }

  /** Cancels what has just been created, after a while. @returns whether that was accepted: a request that was complete by then says that it is. */
  private async cancel(path: string, after: number | undefined, running: AbortSignal): Promise<boolean> {
    if (after === undefined) return false;
    await delay(after, undefined, { signal: running }).catch(() => undefined);
    if (running.aborted) return false;
    const body = { state: 'CANCELLED', reason: 'no longer wanted' };
    const reply = await this.client.ask<{ content?: { request_status?: string } }>('PUT', path, {
      body,
      signal: this.ended.signal,
    });
    // 400: it has ended.
    const isAccepted = this.expect(reply.status, [200, 400], `cancel ${path}`, reply.body);
    return isAccepted && reply.body.content?.request_status !== 'complete';
  }

  private expect(status: number, fine: readonly number[], what: string, body: unknown): boolean {
    if (fine.includes(status)) return status < 300;
    this.refused.push(`${what}: ${status} ${JSON.stringify(body)}`);
    return false;
  }
}
