import { BATCH_SIZE, commandWork, CONVERGE, type WorkHead, type WorkItem } from '@muster/contracts';
import { Journal, type Tx } from '@muster/journal';
import { isEnd } from '@muster/lifecycle';
import { Injectable } from '@nestjs/common';
import { differenceOf, isEmpty } from '../devices/difference.js';
import {
  alreadyConverged,
  cancelHead,
  cancelItem,
  provisions,
  requestItem,
  rolloutHead,
} from '../operations/operation.ask.js';
import { OperationStore, type LockedOperation } from '../operations/operation.store.js';
import { deviceOperationLifecycle } from './device-operation.lifecycle.js';
import { DeviceOperationDispatch } from './device-operation.dispatch.js';
import { DeviceOperationMove } from './device-operation.move.js';
import { DeviceOperationProof } from './device-operation.proof.js';
import { DeviceOperationStore, type Turn } from './device-operation.store.js';
import { shown, tellEnded, tellOutcomes } from './told.outcomes.js';

type Head = WorkHead<typeof commandWork.request>;
type Item = WorkItem<typeof commandWork.request>;

/** Documents of devices are compared in portions of so many at the most, for each may be large. */
const PORTION = 50;

/** Lets devices begin whose turn has come in the rollout of their operation. */
@Injectable()
export class DeviceOperationTurn {
  constructor(
    private readonly journal: Journal,
    private readonly operations: OperationStore,
    private readonly parts: DeviceOperationStore,
    private readonly move: DeviceOperationMove,
    private readonly dispatch: DeviceOperationDispatch,
    private readonly proof: DeviceOperationProof,
  ) {}

  async come(project: string, head: Head, items: readonly Item[]): Promise<void> {
    const most = head.command === CONVERGE ? PORTION : BATCH_SIZE;
    for (let at = 0; at < items.length;) at += await this.portion(project, head, items.slice(at, at + most));
  }

  /** @returns how many of them had their turn. */
  private async portion(project: string, head: Head, all: readonly Item[]): Promise<number> {
    const { looked, count } = await this.journal.transaction(project, async (tx) => {
      const operation = await this.operations.lock(tx, head.request_id);
      if (!operation) return { looked: [], count: all.length };
      const converges = operation.operation === CONVERGE;
      const items = converges
        ? all.slice(
            0,
            await this.parts.comparable(
              tx,
              all.map(({ ref }) => ref),
            ),
          )
        : all;
      const turns = await this.parts.turns(
        tx,
        operation.id,
        items.map(({ ref }) => ref),
        converges,
      );
      const found = new Map(turns.map((turn) => [turn.id, turn]));
      const by = Map.groupBy(items, (item) => judge(item, found.get(item.ref), operation));
      const with_ = (verdict: Verdict) => (by.get(verdict) ?? []).map((item) => ({ item, part: found.get(item.ref)! }));
      const answered = with_('answer').map(({ item, part }) => {
        return { ref: item.ref, state: part?.state, reason: 'it had ended before its turn' };
      });
      tellEnded(tx, operation, answered);
      await this.begin(tx, operation, head, with_('begin'));
      const again = await this.wantAnew(tx, operation, with_('try_again'));
      const looked = with_('look');
      // What awaits its proof by a service's word is told as the command of its turn.
      await this.parts.renew(tx, [...again, ...looked].map(commandOf));
      this.ask(tx, operation, head, [...again, ...with_('ask_again')]);
      const stopping = with_('stop').map(({ item, part }) => cancelItem({ id: part.id, command_id: item.command_id }));
      tx.work(commandWork.cancel, cancelHead(operation, 'cancelled'), stopping, operation.traceparent ?? undefined);
      return { looked: looked.map(({ part }) => part.id), count: items.length };
    });
    await this.proof.check(project, head.request_id, looked);
    return count;
  }

  /** What a CONVERGE asks of a device that is tried again is what differs now. */
  private async wantAnew(tx: Tx, operation: LockedOperation, all: readonly Asked[]): Promise<readonly Asked[]> {
    if (operation.operation !== CONVERGE) return all;
    const provision = provisions(operation);
    const parts = all.map(({ item, part }) => {
      return { item, part: { ...part, wanted: differenceOf(part.desired, part.reported, { provision }) } };
    });
    await this.parts.wantAnew(
      tx,
      parts.map(({ part }) => part),
    );
    return parts;
  }

  /** Of a CONVERGE, a device that is as it should be needs no command. */
  private async begin(tx: Tx, operation: LockedOperation, head: Head, all: readonly Asked[]): Promise<void> {
    const converges = operation.operation === CONVERGE;
    const provision = provisions(operation);
    const parts = all.map(({ item, part }) => {
      const wanted = converges ? differenceOf(part.desired, part.reported, { provision }) : null;
      return { item, part: { ...part, wanted, command_id: item.command_id } };
    });
    await this.parts.renew(tx, parts.map(commandOf));
    const needless = parts.filter(({ part }) => part.wanted !== null && isEmpty(part.wanted));
    await this.move.walk(
      tx,
      operation.id,
      needless.map(({ part }) => ({ id: part.id, way: ['COMPLETED'], reason: '' })),
    );
    const outcomes = needless.map(({ item, part }) =>
      shown(item, alreadyConverged(part.desired, part.reported), false),
    );
    tellOutcomes(tx, operation, outcomes);
    const asked = parts.filter(({ part }) => part.wanted === null || !isEmpty(part.wanted));
    await this.dispatch.initiate(
      tx,
      operation.id,
      asked.map(({ part }) => part),
    );
    this.ask(tx, operation, head, asked);
  }

  private ask(tx: Tx, operation: LockedOperation, head: Head, asked: readonly Asked[]): void {
    const items = asked.map(({ item: { command_id, turn, expires_at }, part }) => ({
      ...requestItem({ ...part, command_id }),
      ...(turn !== undefined && { turn }),
      ...(expires_at !== undefined && { expires_at }),
    }));
    tx.work(commandWork.request, rolloutHead(operation, head), items, operation.traceparent ?? undefined);
  }
}

interface Asked {
  item: Item;
  part: Turn;
}

const turnOf = ({ turn }: Item): number => turn ?? 0;

const commandOf = ({ item, part }: Asked) => ({ id: part.id, command_id: item.command_id, turn: turnOf(item) });

type Verdict = 'answer' | 'begin' | 'try_again' | 'ask_again' | 'stop' | 'look' | 'pass_over';

/**
 * What the turn of a device operation makes of it; `stop`: its cancel was lost; `look`: it awaits its proof; `pass_over`: it has come late, or asks for nothing.
 */
function judge(item: Item, part: Turn | undefined, { wish }: LockedOperation): Verdict {
  if (!part || isEnd(deviceOperationLifecycle, part.state)) return 'answer';
  if (turnOf(item) < part.turn) return 'pass_over';
  if (part.state === 'COMPLETED') return 'look';
  // A service works on it, and says what comes of that.
  if (part.command_id === null && part.state !== 'CREATED') return 'pass_over';
  if (part.command_id === item.command_id) return part.cancel_requested ? 'stop' : 'ask_again';
  if (part.cancel_requested || wish !== 'run') return 'answer';
  return part.state === 'CREATED' ? 'begin' : 'try_again';
}
