import { works, type WorkContract } from '@muster/contracts';
import { batch, type Tx } from '@muster/journal';
import { Injectable } from '@nestjs/common';
import { movesOf } from './command.moves.js';
import type { SharedRequest } from './request.facts.js';

const STEPS: readonly string[] = ['INITIATED', 'ACKNOWLEDGED', 'INPROGRESS'];

const byStepsTo = new Map<string, WorkContract>(works.map((contract) => [contract.subject, contract]));

/** Tells those who asked for it when commands are sent, and when their devices take them. */
@Injectable()
export class CommandSteps {
  /** @param requests those that asked */
  async tell(tx: Tx, requests: ReadonlyMap<string, SharedRequest>): Promise<void> {
    const moves = [...movesOf(tx, new Set(requests.keys()))].filter(({ to }) => STEPS.includes(to));
    if (moves.length === 0) return;
    const refs = await tx.query<{ id: string; ref: string; traceparent: string | null }>(
      `SELECT id, ref, traceparent FROM command JOIN ${batch(['$2::uuid[]'], ['id'])} USING (project_id, id)`,
      [tx.project, [...new Set(moves.map(({ id }) => id))]],
    );
    const refOf = new Map(refs.map((row) => [row.id, row]));
    for (const [request_id, ofRequest] of Map.groupBy(moves, (move) => move.request_id)) {
      const contract = byStepsTo.get(requests.get(request_id)!.terms.steps_to!);
      if (!contract) continue;
      const items = ofRequest.map(({ id, to }) => ({ command_id: id, ref: refOf.get(id)!.ref, step: to }));
      const trace = refOf.get(ofRequest[0]!.id)!.traceparent ?? undefined;
      tx.work(contract, { request_id }, items, trace);
    }
  }
}
