import { works, type StepHead, type StepItem, type WorkContract, type WorkItem } from '@muster/contracts';
import { batch, type Tx } from '@muster/journal';
import { Injectable } from '@nestjs/common';
import { movesOf } from './command.moves.js';
import { RequestFacts, type SharedRequest } from './request.facts.js';

/** What every asker's step work carries. */
type StepContract = WorkContract<typeof StepHead, typeof StepItem>;
type Step = WorkItem<StepContract>['step'];

/** A command whose asker is to hear of it. */
export interface Told {
  id: string;
  ref: string;
  request_id: string;
  traceparent: string | null;
}

/** One that is held, and under which turn. */
export interface ToldHeld extends Told {
  turn: number;
}

/** The states that are steps. */
const STATES: readonly string[] = ['QUEUED', 'INITIATED', 'ACKNOWLEDGED', 'INPROGRESS'] satisfies Step[];

const bySubject = new Map<string, WorkContract>(works.map((contract) => [contract.subject, contract]));

/** Tells those who asked for it when commands are sent, when their devices take them, and when they are held. */
@Injectable()
export class CommandSteps {
  constructor(private readonly facts: RequestFacts) {}

  /** Tells what the transaction did so far. @param requests those that asked */
  async tell(tx: Tx, requests: ReadonlyMap<string, SharedRequest>): Promise<void> {
    const all = [...movesOf(tx, new Set(requests.keys()))];
    // What was sent at once waited for nothing.
    const sent = new Set(all.filter(({ to }) => to === 'INITIATED').map(({ id }) => id));
    const moves = all.filter(({ id, to }) => STATES.includes(to) && (to !== 'QUEUED' || !sent.has(id)));
    if (moves.length === 0) return;
    const rows = await tx.query<Told & Record<string, unknown>>(
      `SELECT id, ref, request_id, traceparent FROM command JOIN ${batch(['$2::uuid[]'], ['id'])} USING (project_id, id)`,
      [tx.project, [...new Set(moves.map(({ id }) => id))]],
    );
    const told = new Map(rows.map((row) => [row.id, row]));
    send(
      tx,
      moves.map(({ id, to }) => ({ ...told.get(id)!, step: to as Step })),
      requests,
      'steps_to',
    );
  }

  /** Tells of these commands that they are held, or that their devices are back. */
  async tellHold(tx: Tx, step: 'HELD' | 'REACHABLE', commands: readonly ToldHeld[]): Promise<void> {
    if (commands.length === 0) return;
    const requests = await this.facts.of(
      tx,
      commands.map((command) => command.request_id),
    );
    send(
      tx,
      commands.map((command) => ({ ...command, step })),
      requests,
      'holds_to',
    );
  }
}

/** One batch a request. */
function send(
  tx: Tx,
  steps: readonly (Told & { step: Step; turn?: number })[],
  requests: ReadonlyMap<string, SharedRequest>,
  to: 'steps_to' | 'holds_to',
): void {
  for (const [request_id, ofRequest] of Map.groupBy(steps, (step) => step.request_id)) {
    const contract = bySubject.get(requests.get(request_id)?.terms[to] ?? '');
    if (!contract) continue;
    const items = ofRequest.map(({ id, ref, step, turn }) => {
      return { command_id: id, ref, step, ...(turn !== undefined && { turn }) };
    });
    tx.work(contract, { request_id }, items, ofRequest[0]!.traceparent ?? undefined);
  }
}
