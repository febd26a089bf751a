import type { DeviceOperationState, PartEnd } from '@muster/contracts';
import type { Tx } from '@muster/journal';
import { isEnd } from '@muster/lifecycle';
import { Injectable } from '@nestjs/common';
import type { LockedOperation } from '../operations/operation.store.js';
import { deviceOperationLifecycle } from './device-operation.lifecycle.js';
import { DeviceOperationMove, type Walk } from './device-operation.move.js';
import { DeviceOperationStore } from './device-operation.store.js';
import { wayTo } from './device-operation.way.js';

/** The state in which a device operation ends whose part in a rollout ended so. */
const STATE_OF = {
  succeeded: 'SUCCESS',
  failed: 'FAILURE',
  rejected: 'FAILURE',
  unknown: 'FAILURE',
  timed_out: 'TIMEOUT',
  never_contacted: 'TIMEOUT',
  cancelled: 'CANCELLED',
} as const satisfies Record<PartEnd['end'], DeviceOperationState>;

/** Ends device operations as their parts in the rollout ended; what has ended already stays as it is. */
@Injectable()
export class DeviceOperationEnds {
  constructor(
    private readonly parts: DeviceOperationStore,
    private readonly move: DeviceOperationMove,
  ) {}

  /** The operation is locked by the transaction. */
  async apply(tx: Tx, operation: LockedOperation, ends: readonly PartEnd[]): Promise<void> {
    const refs = ends.map(({ ref }) => ref);
    const standing = new Map((await this.parts.standing(tx, operation.id, refs)).map((part) => [part.id, part]));
    const walks = ends.flatMap(({ ref, end, reason }): Walk[] => {
      const from = standing.get(ref)?.state;
      if (from === undefined || isEnd(deviceOperationLifecycle, from)) return [];
      const timesOut = end === 'cancelled' && operation.wish === 'time_out';
      // What a device did is over for good: then it can only not have succeeded.
      const way = wayTo(from, timesOut ? 'TIMEOUT' : STATE_OF[end]) ?? wayTo(from, 'FAILURE');
      return way ? [{ id: ref, way, reason }] : [];
    });
    await this.move.walk(tx, operation.id, walks);
  }
}
