import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Random } from '../chaos/random.ts';
import { HeldMoves } from '../harness/held-moves.ts';
import { PlayedDevices } from '../harness/played-devices.ts';
import { Stack } from '../harness/stack.js';
import { readEvents } from './events.js';
import type { Ending, StageShape } from './pipeline.model.js';
import { MOVES, STANDS } from './pipeline.statuses.js';
import { ACTIONS } from './pipeline.tries.js';
import { Walk, type Ground, type Kind } from './pipeline.walk.js';
import { PipelinesClient } from './pipelines.js';

const SEED = 2;
/** A walk that has not come everywhere by then never does. */
const MOST_STEPS = 2_000;
const DEVICES = 2;
const PATIENCE = { timeout: 30_000, interval: 50 };
const ENDINGS: readonly Ending[] = ['success', 'failure', 'timeout', 'cancelled'];
/** The statuses of a run that pass by themselves. */
const HELD = ['pending', 'queued', 'processing', 'complete'] as const;
/** What leaves everything as it is. */
const LOOKS: readonly string[] = ['other', 'read', 'list', 'command', 'request', 'cancel another command'];
const CANCEL = { of: 'run', action: 'cancelled' } as const;
/** Time that is up for something: nobody waits 7 or 21 days, so deadlines are moved in the database. */
const TIMES = ['run time', 'stage time', 'close'];
/** What no device's word leads to. */
const LEADS = [{ from: 'run running: waiting', to: 'run running, to wait' }];
const ENTITIES = { run: 'pipeline-run', stage: 'stage-run', target: 'target-run' } as const;
type Entity = keyof typeof ENTITIES;
const NAMES = Object.keys(ENTITIES) as Entity[];

let stack: Stack;
let devices: PlayedDevices;
let database: pg.Client;
let ground: Ground;

beforeAll(async () => {
  stack = await Stack.start();
  devices = await PlayedDevices.start(
    stack,
    Array.from({ length: DEVICES }, (_, n) => `played-${n}`),
  );
  database = new pg.Client({ connectionString: (await stack.file()).postgres.url });
  await database.connect();
  ground = { client: new PipelinesClient(stack), devices, database, held: await HeldMoves.install(database) };
});
afterAll(async () => {
  devices?.stop();
  await database?.end();
  await stack?.stop();
});

const PAIRS = NAMES.flatMap((entity) =>
  STANDS[entity].flatMap((stand) => ACTIONS[entity].map((action) => `${entity} ${stand}: ${action}`)),
);

const movesOf = (path: readonly string[]) => path.slice(1).map((to, at) => `${path[at]} → ${to}`);

/** Walks at random, first where nobody was. */
class Walker {
  private readonly random = new Random(SEED, 'walk');
  readonly walked = new Map<string, number>();
  readonly walks: Walk[] = [];
  private next: Walk | undefined;
  private steps = 0;

  movesOf(entity: Entity): string[] {
    const paths = this.walks.flatMap(({ model }): (readonly string[])[] => {
      const { stages } = model;
      if (entity === 'run') return [model.path];
      if (entity === 'stage') return stages.map(({ path }) => path);
      return stages.flatMap((stage) => stage.devices.flatMap(({ targets }) => targets.map(({ path }) => path)));
    });
    return [...new Set(paths.flatMap((path) => movesOf(path)))];
  }

  get missing(): string[] {
    const moves = NAMES.flatMap((entity) => {
      const made = this.movesOf(entity);
      return MOVES[entity].filter((move) => !made.includes(move)).map((move) => `${entity} ${move}`);
    });
    return [...PAIRS.filter((pair) => !this.walked.has(pair)), ...moves];
  }

  /** One run from its start to its delete, or to the start of the one after it. */
  async one(): Promise<void> {
    const walk = this.next ?? (await Walk.begin(ground, this.kind()));
    this.next = undefined;
    this.walks.push(walk);
    await walk.settled();
    // Devices of one mind, and time enough, let runs end in every way.
    const { random } = this;
    const isWell = this.lacks('run success') && random.chance(0.5);
    const mind = isWell ? ENDINGS.slice(0, 1) : random.pick([ENDINGS, ...ENDINGS.map((ending) => [ending])]);
    const isInTime = random.chance(0.6);
    for (let isThere = true; isThere;) {
      if (++this.steps > MOST_STEPS) throw new Error(`not walked: ${this.missing.join('; ')}`);
      const tries = random.shuffle(walk.possible);
      const tried = this.chosen(tries);
      const happenings = walk.happenings.filter((what) => !isInTime || !TIMES.includes(what));
      if (!tried && walk.happenings.length > 0) {
        const pick = <T>(some: readonly T[]) => random.pick(some);
        const what = this.isDue(walk) && random.chance(0.5) ? 'run time' : pick(happenings);
        // Where nothing but time could go on, somebody does.
        if (what) await walk.happen(what, pick(mind), pick);
        else await walk.try(tries.find(({ pair }) => pair === 'run waiting: running')?.one ?? CANCEL);
        continue;
      }
      const last = tries.find(({ isFinal }) => isFinal);
      const { pair, one, isFinal } = tried ?? last ?? tries[0]!;
      this.walked.set(pair, (this.walked.get(pair) ?? 0) + 1);
      this.next = await walk.try(one);
      isThere = !isFinal;
    }
  }

  /** Whether time was never up there. */
  private isDue({ model, happenings }: Walk): boolean {
    const { unheard } = model.surroundings;
    const lacks = this.lacks(`run ${model.status} → timeout`) || (unheard && this.lacks('target processing → timeout'));
    return lacks && happenings.includes('run time');
  }

  /** What to try next: what was not tried before, sometimes what leads there; what ends the walk only where nothing else is left to try. */
  private chosen(tries: Walk['possible']): Walk['possible'][number] | undefined {
    const isOver = tries.some(({ isFinal }) => isFinal);
    const fresh = tries.filter(({ pair }) => !this.walked.has(pair));
    const next =
      fresh.find(({ one }) => LOOKS.includes(one.action)) ?? fresh.find(({ isFinal }) => !isFinal) ?? fresh[0];
    if (next && (isOver || this.random.chance(0.9))) return next;
    const leads = tries.find(({ pair }) => LEADS.some(({ from, to }) => pair === from && this.lacks(to)));
    if (leads) return leads;
    const promotes = tries.find(({ pair }) => pair === 'run waiting: running');
    if (promotes && this.random.chance(0.5)) return promotes;
    return this.random.chance(0.1) ? tries.find(({ isFinal }) => isFinal === isOver) : undefined;
  }

  private kind(): Kind {
    const { random } = this;
    const draw = (shape: Partial<StageShape> = {}): StageShape => ({
      promotion: random.pick(['auto', 'manual']),
      on_failure: random.pick(['stop', 'continue']),
      operations: 2,
      devices: DEVICES,
      slots: 1,
      approval: random.chance(0.2),
      ...shape,
    });
    const shapes = [draw(), draw({ operations: 1, slots: 2, approval: false })];
    const held = random.pick(HELD.filter((status) => this.lacks(`run ${status}`)));
    const lacking = [draw({ approval: false, ...random.pick([{ operations: 0 }, { devices: 0 }]) }), shapes[1]!];
    // Only those that have no device come to their end soon.
    const holding = held && { held, shapes: held === 'complete' ? lacking : shapes };
    const kinds: Kind[] = [
      { shapes },
      ...(holding ? [holding, holding] : []),
      ...(this.lacks('target dispatched') ? [{ shapes, busy: true }] : []),
      ...(this.lacks('target processing') ? [{ shapes, unheard: true }] : []),
      ...(this.lacks('run processing') || this.lacks('run invalid')
        ? [{ shapes: [], held: 'processing' as const }]
        : []),
      ...(this.lacks('stage processing') || this.lacks('stage invalid') ? [{ shapes: lacking }] : []),
    ];
    return random.pick(kinds);
  }

  private lacks(stand: string): boolean {
    return this.missing.some((one) => one.startsWith(stand));
  }
}

describe('the statuses of a run, its stage runs and its target runs', () => {
  it('given a walk at random through all of them, then each action does from each what the tables say, and nothing else', async () => {
    const walker = new Walker();
    while (walker.missing.length > 0) await walker.one();
    for (const walk of walker.walks) await walk.clear();

    const bus = await stack.events();
    const expected = new Map(walker.walks.flatMap(({ paths }) => [...paths]));
    const told = async () => {
      const all = await Promise.all(NAMES.map((name) => readEvents(bus, `muster.evt.demo.${ENTITIES[name]}.>`)));
      const byId = Map.groupBy(all.flat(), ({ data }) => data.id);
      return new Map([...expected.keys()].map((id) => [id, (byId.get(id) ?? []).map(({ data }) => data.to)]));
    };
    await expect.poll(told, PATIENCE).toEqual(expected);
    for (const name of NAMES) expect(walker.movesOf(name).toSorted()).toEqual([...MOVES[name]].toSorted());
    expect(walker.walked.size).toBe(PAIRS.length);
  });
});
