import { operations, PART_ENDS, type PartEnd } from '@muster/contracts';
import { isEnd } from '@muster/lifecycle';
import fc from 'fast-check';
import { v7 as uuid } from 'uuid';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { deviceOperationLifecycle } from '../device-operations/device-operation.lifecycle.js';
import { PlannerOfTest, type Turn } from '../testing/planner-of-test.js';
import { PROJECT, RunningOperations, type Asked } from '../testing/running-operations.js';

let running: RunningOperations;
let planner: PlannerOfTest;

beforeAll(async () => {
  running = await RunningOperations.start();
  planner = new PlannerOfTest(running);
  await running.state.service.connection.flush();
});
afterAll(() => running.stop());

const DEVICES = 8;
const which = fc.nat({ max: DEVICES - 1 });
/** How often a message arrives. */
const times = fc.constantFrom(0, 1, 1, 1, 2);
const action = fc.oneof(
  { weight: 5, arbitrary: fc.record({ do: fc.constant('turn' as const), which, times }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('stale_turn' as const), which, times }) },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant('answer' as const),
      which,
      times,
      status: fc.constantFrom('SUCCESS' as const, 'FAILURE' as const, 'TIMEOUT' as const, 'CANCELLED' as const),
      code: fc.constantFrom('', 'exit_1', 'never_contacted'),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant('step' as const),
      which,
      times,
      step: fc.constantFrom('INITIATED' as const, 'HELD' as const, 'REACHABLE' as const, 'INPROGRESS' as const),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ do: fc.constant('end' as const), which, times, end: fc.constantFrom(...PART_ENDS) }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('show' as const), which }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('overdue' as const), which }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('cancel_device' as const), which }) },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant('report' as const),
      which,
      state: fc.constantFrom('PROCESSING' as const, 'COMPLETED' as const, 'SUCCESS' as const, 'FAILURE' as const),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('look' as const), which }) },
);
type Action = typeof action extends fc.Arbitrary<infer A> ? A : never;

/** A device's part as job-planner has it. */
interface Part {
  item: Turn;
  earlier: Turn[];
  end?: PartEnd['end'];
}

class Trial {
  private readonly parts: Part[];

  private constructor(
    readonly id: string,
    private readonly operation: string,
    turns: readonly Turn[],
  ) {
    this.parts = turns.map((item) => ({ item, earlier: [] }));
  }

  static async begin(operation: string): Promise<Trial> {
    const devices = await running.devices(DEVICES, { desired: { v: 2 } });
    for (const device of devices.slice(1)) running.report(device, { v: 1 });
    // One is as it should be.
    running.report(devices[0]!, { v: 2 });
    const id = await planner.rollOut(devices, { operation });
    return new Trial(id, operation, await planner.turns(id));
  }

  async carryOut(action: Action): Promise<void> {
    const part = this.parts[action.which]!;
    const repeat = async (send: () => Promise<void>) => {
      const often = 'times' in action ? action.times : 1;
      for (let sent = 0; sent < often; sent++) await send();
    };
    switch (action.do) {
      case 'turn': {
        if (part.end) return;
        // Every other turn is another try.
        if (part.item.turn! % 2 === 0) {
          part.earlier.push(part.item);
          part.item = { ...part.item, command_id: uuid() };
        }
        part.item = { ...part.item, turn: part.item.turn! + 1 };
        return repeat(() => planner.request(this.id, [part.item]));
      }
      case 'stale_turn':
        return repeat(() => planner.request(this.id, part.earlier.slice(0, 1)));
      case 'answer':
        return repeat(() => running.answer(this.id, this.commandsOf(part), action.status, action.code));
      case 'step':
        return repeat(() => running.step(this.id, this.commandsOf(part), action.step));
      case 'end':
        part.end ??= action.end;
        await planner.end(this.id, [part.item], part.end, 'for a reason', true);
        return repeat(() => planner.end(this.id, [part.item], part.end!, 'for a reason'));
      case 'show':
        return running.report(part.item.device_id, { v: 2 });
      case 'overdue':
        await running.state.query(`UPDATE device_operation SET due_at = now() WHERE id = $1 AND state = 'COMPLETED'`, [
          part.item.ref,
        ]);
        return;
      case 'cancel_device':
        await running.cancelDevice(this.id, part.item.device_id).catch(refusal);
        return;
      case 'report':
        await this.report(part.item.device_id, action.state).catch(refusal);
        return;
      case 'look':
        return planner.lookAtSilent(this.id);
    }
  }

  private report(device_id: string, state: 'PROCESSING' | 'COMPLETED' | 'SUCCESS' | 'FAILURE') {
    return running.state.call(operations.reportDeviceOperation, {
      project_id: PROJECT,
      operation_id: this.id,
      device_id,
      report: { operation_type: this.operation, state, service_id: 'a-service', reason: '' },
    });
  }

  /** What command-dispatcher knows of the part: its present command, and the one before. */
  private commandsOf({ item, earlier }: Part): Asked[] {
    return [item, ...earlier.slice(-1)];
  }

  /** job-planner ends what it has not, of which most words are lost, and is over. */
  async finish(lost: boolean): Promise<void> {
    for (const [place, { item, end = 'cancelled' }] of this.parts.entries())
      await planner.end(this.id, [item], end, 'for a reason', place % 3 > 0);
    await planner.over(this.id, '', lost);
    if (lost) await planner.look(this.id);
  }

  /** That each device operation came to one end at most, and has not moved since. */
  async neverMovedOn(): Promise<void> {
    const { results } = await running.parts(this.id);
    for (const part of results) {
      const states = part.device_operation_activity.map(({ device_operation_state }) => device_operation_state);
      const ends = states.filter((state) => isEnd(deviceOperationLifecycle, state));
      expect(ends.length).toBeLessThanOrEqual(1);
      if (ends.length === 1) expect([states.at(-1), part.state]).toEqual([ends[0], ends[0]]);
    }
  }
}

const refusal = (error: unknown): void => {
  if (!(error as { kind?: string }).kind) throw error;
};

it.each(['REBOOT', 'CONVERGE'])(
  'given a rollout of %s whose messages come in any order, twice or never, and users and services beside it, then it ends, its counts are a recount, and nothing moves after its end',
  async (operation) => {
    const storms = fc.sample(
      fc.array(fc.array(action, { minLength: 3, maxLength: 10 }), { minLength: 2, maxLength: 5 }),
      {
        seed: 11,
        numRuns: 8,
      },
    );
    for (const [run, storm] of storms.entries()) {
      const trial = await Trial.begin(operation);
      for (const together of storm) {
        await Promise.all(together.map((one) => trial.carryOut(one)));
        await running.exact(trial.id);
        await trial.neverMovedOn();
      }
      if (run % 3 === 2) await running.cancel(trial.id).catch(refusal);
      await trial.finish(run % 2 === 1);
      const { state } = await running.reached(trial.id, 'SUCCESS', 'FAILURE', 'CANCELLED');
      await running.exact(trial.id);
      await trial.neverMovedOn();
      const { count, results } = await running.parts(trial.id);
      expect(count).toBe(DEVICES);
      expect(results.every((part) => isEnd(deviceOperationLifecycle, part.state))).toBe(true);
      if (state !== 'CANCELLED') expect(state === 'SUCCESS').toBe(results.every((part) => part.state === 'SUCCESS'));
    }
  },
);
