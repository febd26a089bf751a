import {
  works,
  type CommandOutcome,
  type OutcomeHead,
  type OutcomeItem,
  type WorkContract,
  type WorkItem,
} from '@muster/contracts';
import type { Moved, Tx } from '@muster/journal';
import { Injectable } from '@nestjs/common';
import { LaneStore } from '../lanes/lane.store.js';
import { CommandDispatch } from './command.dispatch.js';
import { CommandStore } from './command.store.js';
import { RequestFacts, type SharedRequest } from './request.facts.js';

/** A command that has ended, as its asker wants to hear it. */
export interface Ended {
  id: string;
  ref: string;
  request_id: string;
  device_id: string;
  state: CommandOutcome;
  reason: string;
  code: string;
  attempt: number;
  traceparent: string | null;
}

/** What a transition to an end must return to be an {@link Ended}. */
export const ENDED_COLUMNS = ['request_id', 'device_id', 'ref', 'code', 'attempt'] as const;

export const toEnded = (state: CommandOutcome, moved: readonly Moved[]): Ended[] =>
  moved.map(({ id, row }) => ({ ...row, id, state }) as Ended);

/** What every asker's outcome work carries. */
type OutcomeContract = WorkContract<typeof OutcomeHead, typeof OutcomeItem>;

const byReplyTo = new Map<string, WorkContract>(works.map((contract) => [contract.subject, contract]));

/** A command that left its lane without an end: it is to be tried again. */
export interface Resting {
  id: string;
  device_id: string;
}

/** What follows from the end of commands: the lanes go on, and whoever asked is told. */
@Injectable()
export class CommandEnd {
  constructor(
    private readonly facts: RequestFacts,
    private readonly store: CommandStore,
    private readonly lanes: LaneStore,
    private readonly dispatch: CommandDispatch,
  ) {}

  /** Frees the lanes of these commands and lets them go on. They must be locked by the transaction. */
  async settle(tx: Tx, ended: readonly Ended[], resting: readonly Resting[] = []): Promise<void> {
    if (ended.length + resting.length > 0) await this.lanes.free(tx, [...ended, ...resting]);
    await this.goOn(tx, ended, resting);
  }

  /** What follows once the lanes of these commands are free. */
  async goOn(tx: Tx, ended: readonly Ended[], resting: readonly Resting[] = []): Promise<void> {
    if (ended.length + resting.length === 0) return;
    await this.tell(tx, ended);
    await this.dispatch.dispatch(tx, [...new Set([...ended, ...resting].map((command) => command.device_id))]);
  }

  /** Sends outcomes, one batch a request. */
  async tell(tx: Tx, ended: readonly Ended[]): Promise<void> {
    if (ended.length === 0) return;
    const requests = await this.facts.of(
      tx,
      ended.map((command) => command.request_id),
    );
    const proofs = await this.proofs(tx, ended, requests);
    for (const [requestId, commands] of Map.groupBy(ended, (command) => command.request_id)) {
      const items = commands.map(({ id, ref, state, reason, code, attempt }) => ({
        command_id: id,
        ref,
        status: state,
        reason,
        code,
        sent: attempt > 0,
        ...(proofs.has(id) && { proof: proofs.get(id) }),
      }));
      const trace = commands[0]?.traceparent ?? undefined;
      this.tellAsker(tx, requests.get(requestId)?.reply_to ?? '', requestId, items, trace);
    }
  }

  /** Sends outcomes of one request to whoever asked; nobody asked when `replyTo` is empty. */
  tellAsker(
    tx: Tx,
    replyTo: string,
    requestId: string,
    items: readonly WorkItem<OutcomeContract>[],
    trace?: string,
  ): void {
    const contract = byReplyTo.get(replyTo);
    if (contract) tx.work(contract, { request_id: requestId }, items, trace);
  }

  /** What successes prove, of those whose request asks for it; the others cost nothing. */
  private async proofs(
    tx: Tx,
    ended: readonly Ended[],
    requests: ReadonlyMap<string, SharedRequest>,
  ): Promise<ReadonlyMap<string, unknown>> {
    const asked = ended.flatMap(({ id, state, request_id }) => {
      const path = requests.get(request_id)?.terms.proof_path;
      return path !== undefined && state === 'SUCCESS' ? [{ id, path }] : [];
    });
    return asked.length > 0 ? this.store.proofs(tx, asked) : new Map();
  }
}
