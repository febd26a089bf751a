import { COMMAND_OUTCOMES, operationWork, type CommandState, type WorkBatch } from '@muster/contracts';
import fc from 'fast-check';
import { DataSource } from 'typeorm';
import { v7 as uuid } from 'uuid';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { PresenceApply } from '../lanes/presence.apply.js';
import { newItem, PROJECT, RunningDispatcher } from '../testing/running-dispatcher.js';
import { CommandAccept } from './command.accept.js';
import { CommandCancel } from './command.cancel.js';
import { CommandJournal } from './command.journal.js';
import { IN_FLIGHT } from './command.lifecycle.js';
import { StatusesDevice } from './statuses.device.js';

let dispatcher: RunningDispatcher;
let steps: WorkBatch<typeof operationWork.step>[];

beforeAll(async () => {
  dispatcher = await RunningDispatcher.start();
  steps = dispatcher.service.hear(operationWork.step);
  // Whatever order things take, a send of what is held fails loudly.
  await dispatcher.service.query(
    `ALTER TABLE command ADD CONSTRAINT never_sent_while_held CHECK (NOT (held AND attempt > 0))`,
  );
  await dispatcher.service.connection.flush();
});
afterAll(() => dispatcher.service.stop());

/** That it waits in the queue says nothing of whether it is held. */
const stepsOf = (id: string) =>
  steps.flatMap((batch) =>
    batch.items.filter((item) => item.command_id === id && item.step !== 'QUEUED').map((item) => item.step),
  );

const COMMANDS = 3;
const which = fc.nat({ max: COMMANDS - 1 });
const action = fc.oneof(
  { weight: 4, arbitrary: fc.record({ do: fc.constant('ask' as const), which }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('cancel' as const), which }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('come' as const) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('leave' as const) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('answer' as const) }) },
);
type Action = typeof action extends fc.Arbitrary<infer A> ? A : never;

interface Row {
  id: string;
  state: CommandState;
  held: boolean;
  fence: number;
  ends: number;
}

type Place = 'held' | 'queued' | 'sent' | 'ended';

function placeOf({ state, held }: Row): Place {
  if ((COMMAND_OUTCOMES as readonly string[]).includes(state)) return 'ended';
  if ((IN_FLIGHT as readonly string[]).includes(state)) return 'sent';
  return held ? 'held' : 'queued';
}

/** One device and a request for it, of which each action is carried out by the dispatcher. */
class Trial {
  readonly device = dispatcher.device();
  readonly items = Array.from({ length: COMMANDS }, () => newItem(this.device));
  private readonly request_id = uuid();
  private version = 10;

  async carryOut(action: Action): Promise<void> {
    switch (action.do) {
      case 'ask':
        return this.ask([this.items[action.which]!]);
      case 'cancel':
        return this.cancel(this.items[action.which]!);
      case 'come':
        return this.presence(true);
      case 'leave':
        return this.presence(false);
      case 'answer':
        return this.answer();
    }
  }

  ask(items: readonly ReturnType<typeof newItem>[]): Promise<void> {
    const request = {
      request_id: this.request_id,
      command: 'ping',
      args: {},
      in_progress_seconds: 600,
      offline_seconds: 600,
      priority: 0,
      reply_to: '',
      steps_to: operationWork.step.subject,
      holds_to: operationWork.step.subject,
    };
    return dispatcher.service.get(CommandAccept).accept(PROJECT, request, items);
  }

  presence(online: boolean): Promise<void> {
    const said = { device_id: this.device, online, version: this.version++ };
    return dispatcher.service
      .get(CommandJournal)
      .transaction(PROJECT, (tx) => dispatcher.service.get(PresenceApply).apply(tx, [said]));
  }

  async answer(): Promise<void> {
    const working = (await this.rows()).find((row) => placeOf(row) === 'sent');
    if (!working) return;
    const payload = { command_id: working.id, fence: working.fence, status: 'success' as const };
    await dispatcher.service
      .get(StatusesDevice)
      .onStatus([{ project_id: PROJECT, device_id: this.device, payload, at: Date.now(), sequence: 0 }]);
  }

  rows(): Promise<Row[]> {
    return dispatcher.service.get(DataSource).query<Row[]>(
      `SELECT id, state, held, fence, (SELECT count(*)::int FROM jsonb_array_elements(activity) a WHERE a->>'state' = ANY($2)) AS ends
       FROM command WHERE device_id = $1 ORDER BY id`,
      [this.device, COMMAND_OUTCOMES],
    );
  }

  private async cancel({ command_id, ref }: ReturnType<typeof newItem>): Promise<void> {
    const head = { request_id: this.request_id, reason: 'no longer wanted', reply_to: '' };
    await dispatcher.service.get(CommandCancel).cancel(PROJECT, { head, items: [{ command_id, ref }] });
  }
}

/** What is to become of the commands, one action after another. `cancelled`: before it was asked for. */
class Model {
  readonly places = Array.from({ length: COMMANDS }, (): Place | 'unknown' | 'cancelled' => 'unknown');
  readonly steps = Array.from({ length: COMMANDS }, (): string[] => []);
  private online = true;

  carryOut(action: Action): void {
    const at = (place: Place) => [...this.places.keys()].filter((index) => this.places[index] === place);
    if (action.do === 'ask') this.ask(action.which);
    else if (action.do === 'cancel') this.cancel(action.which);
    else if (action.do === 'come') {
      this.online = true;
      for (const index of at('held')) this.steps[index]!.push('REACHABLE');
    } else if (action.do === 'leave') {
      this.online = false;
      for (const index of at('queued')) this.hold(index);
    } else for (const index of at('sent')) this.places[index] = 'ended';
    const [next] = at('queued');
    if (!this.online || next === undefined || at('sent').length > 0) return;
    this.places[next] = 'sent';
    this.steps[next]!.push('INITIATED');
  }

  private ask(index: number): void {
    const place = this.places[index]!;
    if (place === 'cancelled') this.places[index] = 'ended';
    else if (place === 'unknown' || place === 'held') {
      if (this.online) this.places[index] = 'queued';
      else this.hold(index);
    }
  }

  private cancel(index: number): void {
    const place = this.places[index]!;
    if (place === 'unknown') this.places[index] = 'cancelled';
    if (place === 'held' || place === 'queued') this.places[index] = 'ended';
  }

  private hold(index: number): void {
    this.places[index] = 'held';
    this.steps[index]!.push('HELD');
  }
}

describe('commands that are to be held while their device is offline', () => {
  it('given any actions one after another, then each command is where it has to be after each of them, and its asker hears of it in this order', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(action, { minLength: 4, maxLength: 16 }), async (actions) => {
        const [trial, model] = [new Trial(), new Model()];
        await trial.presence(true);
        for (const one of actions) {
          await trial.carryOut(one);
          model.carryOut(one);
          const rows = new Map((await trial.rows()).map((row) => [row.id, placeOf(row)]));
          const known = model.places.map((place) => (place === 'unknown' || place === 'cancelled' ? undefined : place));
          expect(trial.items.map((item) => rows.get(item.command_id))).toEqual(known);
        }
        const heard = () => trial.items.map(({ command_id }) => stepsOf(command_id));
        await expect.poll(heard).toEqual(model.steps);
      }),
      { numRuns: 40 },
    );
  });

  it('given actions at the same moment, then none is sent while it is held; with its device online each goes when it is asked for again, and all end once', async () => {
    const bursts = fc.array(fc.array(action, { minLength: 2, maxLength: 5 }), { minLength: 2, maxLength: 6 });
    await fc.assert(
      fc.asyncProperty(bursts, async (all) => {
        const trial = new Trial();
        await trial.presence(true);
        for (const burst of all) await Promise.all(burst.map((one) => trial.carryOut(one)));
        await trial.presence(true);
        await trial.ask(trial.items);
        for (let answers = 0; answers < COMMANDS; answers++) await trial.answer();
        const cancelled = new Set(
          all.flat().flatMap((one) => (one.do === 'cancel' ? [trial.items[one.which]!.command_id] : [])),
        );
        for (const { id, state, ends } of await trial.rows()) {
          expect(ends).toBe(1);
          if (!cancelled.has(id)) expect(state).toBe('SUCCESS');
          else expect(['SUCCESS', 'CANCELLED']).toContain(state);
        }
      }),
      { numRuns: 40 },
    );
  });
});
