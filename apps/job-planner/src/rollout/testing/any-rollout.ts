import type { Rollout, StopRule } from '@muster/contracts';
import fc from 'fast-check';
import type { DeviceEnd } from '../tally.js';
import { SimulatedRollout, type Conduct } from './simulated-rollout.js';

/** When the simulations begin: a Sunday. */
export const NOON = Date.parse('2026-11-22T12:00:00Z');
const WELL: Conduct = { end: 'succeeded', seconds: 1, zone: 'UTC', away: 0 };

/** So many devices of a simulation, each doing well within a second unless told. */
export const devices = (count: number, conduct: (place: number) => Partial<Conduct> = () => ({})): Conduct[] =>
  Array.from({ length: count }, (_, place) => ({ ...WELL, ...conduct(place) }));

/** A simulated rollout that has gone as far as it does by itself. */
export const rolled = (
  spec: Rollout,
  conducts: readonly Conduct[],
  onApproval?: (one: SimulatedRollout) => boolean,
) => {
  const rollout = new SimulatedRollout(spec, conducts, NOON, onApproval);
  rollout.run();
  return rollout;
};

/** How many of its devices have begun. */
export const begun = (rollout: SimulatedRollout) => rollout.devices.filter((device) => device.begun.length > 0).length;

const anyEnd = fc.constantFrom<DeviceEnd>(
  'succeeded',
  'succeeded',
  'succeeded',
  'failed',
  'timed_out',
  'rejected',
  'unknown',
);
/** Whatever a device may do. */
export const anyConduct: fc.Arbitrary<Conduct> = fc.record({
  end: anyEnd,
  seconds: fc.integer({ min: 0, max: 600 }),
  zone: fc.constantFrom('UTC', 'Asia/Tokyo', 'America/New_York'),
  away: fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 100_000 })),
});
const anyRule: fc.Arbitrary<StopRule> = fc
  .record({
    base: fc.constantFrom('targeted' as const, 'contacted' as const, 'finished' as const),
    outcome: fc.constantFrom('failed' as const, 'timed_out' as const, 'rejected' as const, 'any' as const),
    action: fc.constantFrom('pause' as const, 'cancel' as const),
    min_finished: fc.integer({ min: 1, max: 20 }),
    share: fc.integer({ min: 1, max: 100 }),
    isCount: fc.boolean(),
  })
  .map(({ share, isCount, ...rule }) => ({ ...rule, ...(isCount ? { count: share } : { percent: share }) }));
/** Any waves of sizes alone, the last with the rest. */
export const anyWaves = fc
  .array(
    fc.record({
      size: fc.integer({ min: 1, max: 40 }),
      isCount: fc.boolean(),
      success_threshold: fc.option(fc.integer({ min: 1, max: 100 }), { nil: undefined }),
      soak_seconds: fc.integer({ min: 0, max: 1_000 }),
      approval: fc.boolean(),
    }),
    { maxLength: 3 },
  )
  .map((waves) =>
    [
      ...waves.map(({ size, isCount, ...wave }) => ({
        ...wave,
        ...(isCount ? { count: size } : { percent: size / 2 }),
      })),
      {},
    ].map((wave) => JSON.parse(JSON.stringify(wave)) as object),
  );
/** Any rollout that a job may have, within a day and a half. */
export const anySpec: fc.Arbitrary<Rollout> = fc
  .record({
    waves: fc.option(anyWaves, { nil: undefined }),
    max_in_flight: fc.integer({ min: 1, max: 30 }),
    rate_per_minute: fc.option(fc.integer({ min: 1, max: 1_000 }), { nil: undefined }),
    ramp: fc.option(fc.constant({ base: 5, factor: 2, after_succeeded: 10 }), { nil: undefined }),
    abort: fc.array(anyRule, { maxLength: 2 }),
    window: fc.option(fc.constant({ start: '01:00', end: '05:00' }), { nil: undefined }),
    catch_up: fc.boolean(),
    start_at: fc.option(fc.constant('2026-11-22T18:00:00Z'), { nil: undefined }),
    end_at: fc.option(fc.constant('2026-11-24T00:00:00Z'), { nil: undefined }),
  })
  .map((spec) => JSON.parse(JSON.stringify(spec)) as Rollout);
