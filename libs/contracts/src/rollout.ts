import Type, { type Static } from 'typebox';
import { RetryRule } from './command.js';
import { WaveQuery, type DeviceQuery } from './device-state.js';
import { Timestamp, Uuid } from './schema.js';

const closed = { additionalProperties: false };

/** Stop rules count failed devices among all that are targeted, among those that were contacted, or among those that have finished. */
export const STOP_BASES = ['targeted', 'contacted', 'finished'] as const;
/** What a device came to, as stop rules tell it; `any`: one of the others, or nobody knows. */
export const STOP_OUTCOMES = ['failed', 'timed_out', 'rejected', 'any'] as const;
export const STOP_ACTIONS = ['pause', 'cancel', 'rollback'] as const;

const Percent = Type.Number({ exclusiveMinimum: 0, maximum: 100 });
const Devices = Type.Integer({ minimum: 1, maximum: 10_000_000 });

/**
 * A part of the devices that is changed before the next one: so many percent of them (rounded up over the waves so far), so many, or those of
 * a query; the last wave takes the rest. The next wave begins once `success_threshold` percent of this one's devices have succeeded and
 * `soak_seconds` have passed since, or, without a threshold, once all of it has ended and some of it well. `approval`: the wave begins only
 * when somebody has said so.
 */
export const Wave = Type.Object(
  {
    percent: Type.Optional(Percent),
    count: Type.Optional(Devices),
    query: Type.Optional(WaveQuery),
    success_threshold: Type.Optional(Percent),
    soak_seconds: Type.Optional(Type.Integer({ minimum: 0, maximum: 2_592_000, default: 0 })),
    approval: Type.Optional(Type.Boolean({ default: false })),
  },
  closed,
);

/** Stops a rollout once so many percent of its base, or so many devices, came to `outcome`; percents only count from `min_finished` on. */
export const StopRule = Type.Object(
  {
    base: Type.Optional(Type.Enum([...STOP_BASES], { default: 'finished' })),
    outcome: Type.Optional(Type.Enum([...STOP_OUTCOMES], { default: 'any' })),
    percent: Type.Optional(Percent),
    count: Type.Optional(Devices),
    min_finished: Type.Optional(Type.Integer({ minimum: 1, maximum: 10_000_000, default: 1 })),
    action: Type.Enum([...STOP_ACTIONS]),
  },
  closed,
);

/** After which outcomes a device is tried again, and when: as of a command ({@link RetryRule}), for refusals too. */
export const RolloutRetry = Type.Object(
  { ...RetryRule.properties, outcome: Type.Enum(['failed', 'timed_out', 'rejected', 'any']) },
  closed,
);

const ClockTime = Type.String({
  pattern: '^([01]\\d|2[0-3]):[0-5]\\d$',
  description: 'HH:MM',
});

/**
 * When devices may be changed: on `days` (0 = Monday … 6 = Sunday), from `start` to `end`, over midnight where the end is the earlier one, by
 * the clock of each device or of a zone.
 */
export const RolloutWindow = Type.Object(
  {
    days: Type.Optional(
      Type.Array(Type.Integer({ minimum: 0, maximum: 6 }), { minItems: 1, maxItems: 7, uniqueItems: true }),
    ),
    start: ClockTime,
    end: ClockTime,
    timezone: Type.Optional(
      Type.String({ minLength: 1, maxLength: 64, default: 'device', description: '`device`, or an IANA name' }),
    ),
  },
  closed,
);

/** How many devices are changed at once where a rollout does not say. */
export const MAX_IN_FLIGHT = 1_000;
/** The highest rate at which devices may begin: so many a minute. */
export const MOST_RATE_PER_MINUTE = 10_000_000;
/** How long a device may take where a rollout does not say: from dispatch, and to be contacted at all. */
export const ROLLOUT_TIMEOUTS = { in_progress_seconds: 3_600, offline_seconds: 604_800 } as const;

/** How a change goes through many devices (rollout.md); every field has a default. */
export const Rollout = Type.Object(
  {
    waves: Type.Optional(Type.Array(Wave, { minItems: 1, maxItems: 64 })),
    max_in_flight: Type.Optional(Type.Integer({ minimum: 1, maximum: 1_000_000, default: MAX_IN_FLIGHT })),
    rate_per_minute: Type.Optional(Type.Number({ minimum: 0.01, maximum: MOST_RATE_PER_MINUTE })),
    ramp: Type.Optional(
      Type.Object(
        {
          base: Type.Number({
            minimum: 0.01,
            maximum: MOST_RATE_PER_MINUTE,
            description: 'devices a minute at the start',
          }),
          factor: Type.Number({ minimum: 1, maximum: 100 }),
          after_succeeded: Devices,
        },
        closed,
      ),
    ),
    abort: Type.Optional(Type.Array(StopRule, { maxItems: 16 })),
    timeout: Type.Optional(
      Type.Object(
        {
          in_progress_seconds: Type.Optional(
            Type.Integer({ minimum: 1, maximum: 2_592_000, default: ROLLOUT_TIMEOUTS.in_progress_seconds }),
          ),
          offline_seconds: Type.Optional(
            Type.Integer({ minimum: 1, maximum: 31_536_000, default: ROLLOUT_TIMEOUTS.offline_seconds }),
          ),
        },
        closed,
      ),
    ),
    retry: Type.Optional(Type.Array(RolloutRetry, { maxItems: 16 })),
    retry_budget_percent: Type.Optional(
      Type.Number({ minimum: 0, maximum: 10_000, description: 'retries in all, in percent of the devices' }),
    ),
    window: Type.Optional(RolloutWindow),
    start_at: Type.Optional(Timestamp),
    end_at: Type.Optional(Timestamp),
    offline: Type.Optional(Type.Enum(['wait', 'skip'], { default: 'wait' })),
    catch_up: Type.Optional(Type.Boolean({ default: true })),
    evidence: Type.Optional(
      Type.Object(
        {
          path: Type.String({
            minLength: 1,
            maxLength: 256,
            description: 'dotted, in the evidence or the reported state',
          }),
          equals: Type.Unknown(),
        },
        closed,
      ),
    ),
    membership: Type.Optional(Type.Enum(['snapshot', 'continuous'], { default: 'snapshot' })),
    priority: Type.Optional(Type.Integer({ minimum: -1000, maximum: 1000, default: 0 })),
    supersedes: Type.Optional(Type.Boolean({ default: false })),
  },
  closed,
);

/** Codes of failures by which a device refuses a command, instead of failing at it. */
export const REFUSAL_CODES: readonly string[] = ['rejected', 'no_handler'];

/**
 * What a rollout waits for. `slot`: also its turn by its rate; `approval`: the word of a person, be it for a wave or because it is paused;
 * `soak`: the time between two waves.
 */
export const ROLLOUT_WAITS = [
  'resolve',
  'dispatch',
  'window',
  'slot',
  'approval',
  'offline',
  'retry_at',
  'in_flight',
  'soak',
  'proof',
] as const;

const Count = Type.Integer({ minimum: 0 });

/** Where the devices of a rollout are; exact at every moment, and together `targeted`. */
export const RolloutCounts = Type.Object({
  targeted: Count,
  pending: Count,
  in_flight: Count,
  succeeded: Count,
  failed: Count,
  timed_out: Count,
  rejected: Count,
  cancelled: Count,
  unknown: Count,
  offline: Count,
});

/**
 * How far a rollout is (rollout.md, "Watch"). `percent`: of the devices, those that have ended. `rate_per_second`: ends a second of late. `eta`:
 * the earliest and the latest time at which it may end, after what was seen so far; null as long as nothing can be said.
 */
export const Progress = Type.Object({
  ...RolloutCounts.properties,
  percent: Type.Number(),
  rate_per_second: Type.Number(),
  eta: Type.Union([Type.Object({ earliest: Timestamp, latest: Timestamp }), Type.Null()]),
  wave: Type.Union([Type.Object({ number: Type.Integer(), of: Type.Integer() }), Type.Null()], {
    description: 'null where there is but one',
  }),
  waiting_for: Type.Union([Type.Enum([...ROLLOUT_WAITS]), Type.Null()]),
});

export type Wave = Omit<Static<typeof Wave>, 'query'> & { query?: DeviceQuery };
export type Rollout = Omit<Static<typeof Rollout>, 'waves'> & { waves?: Wave[] };
export type StopRule = Static<typeof StopRule>;
export type RolloutRetry = Static<typeof RolloutRetry>;
export type RolloutWindow = Static<typeof RolloutWindow>;
/** How long a plan of a rollout may take, in milliseconds: it looks at every device, a million of which take most of a minute. */
export const PLAN_MS = 60_000;

/** How many targets, and how many devices that are left out, a plan shows. */
export const SHOWN_TARGETS = 20;

const Target = Type.Object({ target_id: Uuid, device_id: Uuid, device_name: Type.String(), timezone: Type.String() });

/**
 * What would happen (rollout.md, "Plan before you act"). `conflicts`: rollouts under way that change some of the same devices; each device does one
 * after the other. `begins_at`: when the first device of the first wave that has any may begin, by `start_at` and the windows; approvals may make
 * it later. Where there are no devices yet, but some may join: when one may in whatever zone. `duration`: from then on, without the waits for
 * approvals and windows; null as long as nothing like it was rolled out, and where no device ever begins. `exposure`: how far a change may get
 * that goes wrong from the first device of a wave on, while all before went well: so many `devices` are changed until stop rule `rule` (its place,
 * from 1) ends it, or, where none does (null), the wave's own gate or the end of the devices; of them `wrong` are those that it may have gone
 * wrong on.
 */
export const RolloutPlan = Type.Object({
  targets: Type.Object({
    count: Count,
    offline: Count,
    sample: Type.Array(Target, { maxItems: SHOWN_TARGETS }),
    left_out: Type.Array(
      Type.Object({ reason: Type.String(), count: Count, sample: Type.Array(Target, { maxItems: SHOWN_TARGETS }) }),
    ),
  }),
  waves: Type.Array(
    Type.Object({
      number: Type.Integer(),
      devices: Count,
      success_threshold: Type.Union([Type.Number(), Type.Null()]),
      soak_seconds: Type.Integer(),
      approval: Type.Boolean(),
    }),
  ),
  conflicts: Type.Array(Type.Object({ entity: Type.String(), id: Uuid, priority: Type.Integer(), devices: Count }), {
    description: 'those with the most devices first',
  }),
  windows: Type.Array(
    Type.Object({
      timezone: Type.String(),
      devices: Count,
      opens_at: Type.Union([Timestamp, Type.Null()], { description: 'null: it never does' }),
      closes_at: Type.Union([Timestamp, Type.Null()]),
    }),
  ),
  begins_at: Type.Union([Timestamp, Type.Null()], { description: 'null: none of the devices there are ever may' }),
  duration: Type.Union([Type.Object({ least_seconds: Type.Number(), most_seconds: Type.Number() }), Type.Null()]),
  exposure: Type.Array(
    Type.Object({
      wave: Type.Integer(),
      rule: Type.Union([Type.Integer(), Type.Null()]),
      devices: Count,
      wrong: Count,
    }),
  ),
});

export type RolloutPlan = Static<typeof RolloutPlan>;
export type RolloutWait = (typeof ROLLOUT_WAITS)[number];
export type RolloutCounts = Static<typeof RolloutCounts>;
export type Progress = Static<typeof Progress>;
