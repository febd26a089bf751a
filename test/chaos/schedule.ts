import { SERVICES } from '@muster/contracts';
import { Random } from './random.ts';

export const REPLICAS = 2;

/** What each fleet is called; one process plays each. */
export const FLEETS = ['fast', 'slow', 'away'] as const;

/** Every replica, as the stack names them. */
export const REPLICA_NAMES = SERVICES.flatMap((name) =>
  Array.from({ length: REPLICAS }, (_, index) => `${name}-${index + 1}`),
);

/**
 * `depose`: pauses a replica and ends the database session of its service's relay: if it led, another leads while it sleeps, and it wakes up
 * with what it had read. `kill_backends`: `share` of all database sessions; which of them, in their order by name, follows from `choice`.
 */
export type Fault =
  | { at: number; kind: 'kill' | 'stop'; victim: string }
  | { at: number; kind: 'pause' | 'depose'; victim: string; ms: number }
  | { at: number; kind: 'kill_backends'; share: number; choice: number }
  | { at: number; kind: 'restart_postgres' };

/** A time without new faults between storms, so that deadlines can be judged without an excuse. */
export const STORM_MS = 26_000;
export const CALM_MS = 16_000;
const LULL_MS = { from: 800, to: 3_200 };
const PAUSE_MS = { from: 1_000, to: 8_000 };

const BUS = 'nats-server';

/** One of each, and twice what happens most: a run of half a minute has seen everything. */
const DECK: readonly ((random: Random, at: number) => Fault)[] = [
  (random, at) => ({ at, kind: 'kill', victim: random.pick(REPLICA_NAMES) }),
  (random, at) => ({ at, kind: 'kill', victim: random.pick(REPLICA_NAMES) }),
  (random, at) => ({ at, kind: 'stop', victim: random.pick(REPLICA_NAMES) }),
  (_, at) => ({ at, kind: 'kill', victim: BUS }),
  (_, at) => ({ at, kind: 'stop', victim: BUS }),
  (_, at) => ({ at, kind: 'restart_postgres' }),
  (random, at) => ({
    at,
    kind: 'kill_backends',
    share: random.between(1, 10) / 10,
    choice: random.between(0, 2 ** 31 - 1),
  }),
  (random, at) => ({ at, kind: 'pause', victim: random.pick(REPLICA_NAMES), ms: pause(random) }),
  (random, at) => ({ at, kind: 'pause', victim: random.pick([BUS, ...FLEETS]), ms: pause(random) }),
  (random, at) => ({ at, kind: 'depose', victim: random.pick(RELAYS), ms: pause(random) }),
];

const RELAYS = REPLICA_NAMES.filter((name) => !name.startsWith('gateway'));

const pause = (random: Random) => random.between(PAUSE_MS.from, PAUSE_MS.to);

/** The faults of a run of `ms` milliseconds, in the order of their times (milliseconds from the start). */
export function schedule(seed: number, ms: number): Fault[] {
  const random = new Random(seed, 'faults');
  const faults: Fault[] = [];
  let deck: typeof DECK = [];
  let at = 0;
  for (;;) {
    at += random.between(LULL_MS.from, LULL_MS.to);
    if (!isStorm(at)) at += CALM_MS - ((at % (STORM_MS + CALM_MS)) - STORM_MS);
    if (at >= ms) return faults;
    if (deck.length === 0) deck = random.shuffle(DECK);
    const [draw, ...rest] = deck;
    deck = rest;
    faults.push(draw!(random, at));
  }
}

/** Whether faults may begin at this time. */
export const isStorm = (at: number): boolean => at % (STORM_MS + CALM_MS) < STORM_MS;

/** A fault in words, for the log. */
export function describe(fault: Fault): string {
  switch (fault.kind) {
    case 'kill':
      return `SIGKILL ${fault.victim}`;
    case 'stop':
      return `SIGTERM ${fault.victim}`;
    case 'pause':
      return `SIGSTOP ${fault.victim} for ${fault.ms} ms`;
    case 'depose':
      return `SIGSTOP ${fault.victim} for ${fault.ms} ms, and end its service's relay session`;
    case 'kill_backends':
      return `end ${Math.round(fault.share * 100)} % of the database sessions`;
    case 'restart_postgres':
      return 'restart Postgres (immediate)';
  }
}
