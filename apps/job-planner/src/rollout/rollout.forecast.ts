import { deviceState, SHOWN_TARGETS, type DeviceQuery, type Rollout, type RolloutPlan } from '@muster/contracts';
import { RpcClient } from '@muster/messaging';
import { ALL_CLOCKS } from '@muster/schedule';
import { Injectable } from '@nestjs/common';
import { NIL } from 'uuid';
import { anyOf } from './any-of.js';
import { timesOf, type DeviceTime, type KnownDevice } from './device.times.js';
import type { Durations } from './durations.js';
import { EvenSample } from './even.sample.js';
import { exposures } from './exposure.js';
import { Families } from './families.js';
import type { NewTarget, TargetPage } from './family.js';
import { passesOf } from './passes.js';
import { durationOf, type Duration, type Limits, type WaveOutlook } from './rollout.duration.js';
import { RolloutStore } from './rollout.store.js';
import { isOnDevices, windowsAt, windowsOf } from './rollout.windows.js';
import { TargetStore } from './target.store.js';
import { placesOf, sizeOf, type WaveState } from './wave.gate.js';

/** Most rollouts under way that a plan names. */
const SHOWN_CONFLICTS = 100;
/** So many devices of a wave say enough of the others. */
const ENOUGH = 30;

/** What is to be rolled out. */
export interface Intent {
  project_id: string;
  spec: Rollout;
  command: string;
  /** What is rolled out is to be over by then, from now on, whatever is left to do. */
  timeout_seconds?: number;
  /** The page after a cursor of those of its devices that fit a query as well. */
  find: (query: DeviceQuery | undefined, cursor: string) => Promise<TargetPage>;
}

type Shown = RolloutPlan['targets']['sample'][number];
/** One that is to be shown, before its device's name is known. */
type Sampled = Omit<Shown, 'device_name'>;

/** Says what a rollout would do, by the same decisions as it does it, and writes nothing. It keeps counts and samples of the devices, never all of them. */
@Injectable()
export class RolloutForecast {
  constructor(
    private readonly rpc: RpcClient,
    private readonly rollouts: RolloutStore,
    private readonly targets: TargetStore,
    private readonly families: Families,
  ) {}

  async of(intent: Intent): Promise<RolloutPlan> {
    const { project_id, spec } = intent;
    const look = new Look(spec);
    for (const wave of passesOf(spec)) {
      const query = passQuery(spec, wave);
      for (let cursor = '', last = false; !last;) {
        const page = await intent.find(query, cursor);
        await this.lookAt(project_id, page.targets, look);
        ({ cursor, last } = page);
      }
      if (wave !== null) look.endWave(wave);
    }
    const waves = spec.waves ?? [{}];
    const places = placesOf(waves, look.placed, look.beforeRest, look.count);
    const shown = await this.named(project_id, look);
    const now = Date.now();
    const starts = Math.max(now, spec.start_at === undefined ? 0 : Date.parse(spec.start_at));
    const ends = { noneBegins: timeOf(spec.end_at), allEnd: now + (intent.timeout_seconds ?? Infinity) * 1000 };
    const begins = beginningOf(spec, firstZones(spec, places, look), starts, ends);
    return {
      targets: { count: look.count, offline: look.offline, sample: shown(look.sample), left_out: look.leftOut(shown) },
      waves: waves.map(({ success_threshold = null, soak_seconds = 0, approval = false }, index) => ({
        number: index + 1,
        devices: sizeOf(places[index]!),
        success_threshold,
        soak_seconds,
        approval,
      })),
      conflicts: await this.conflicts(project_id, look),
      windows: windowsOfZones(spec, look.zones, starts),
      begins_at: begins === null ? null : new Date(begins).toISOString(),
      duration: begins === null ? null : await this.duration(intent, places, look.sampled, limitsFrom(begins, ends)),
      exposure: exposures(spec, places).map(({ rule, ...worst }) => ({
        ...worst,
        rule: rule === null ? null : rule + 1,
      })),
    };
  }

  private async lookAt(project_id: string, targets: readonly NewTarget[], look: Look): Promise<void> {
    const ids = [...new Set(targets.map(({ device_id }) => device_id))];
    if (ids.length === 0) return;
    const { devices } = await this.rpc.call(deviceState.presence, { project_id, ids });
    look.add(targets, new Set(devices.filter(({ online }) => online).map(({ id }) => id)));
    for (const { name, table } of this.families.all)
      for (const { rollout, devices: count } of await this.targets.under(project_id, table, ids, NIL))
        look.meets(name, rollout, count);
  }

  /** What gives those that are to be shown the names of their devices. */
  private async named(project_id: string, { sample, skipped }: Look): Promise<Show> {
    const ids = [...new Set([...sample, ...skipped].map(({ device_id }) => device_id))];
    const query = { ids };
    const found =
      ids.length > 0 ? await this.rpc.call(deviceState.resolve, { project_id, query, limit: ids.length }) : undefined;
    const names = new Map(found?.devices.map(({ id, name }) => [id, name]));
    return (all) => all.map((one) => ({ ...one, device_name: names.get(one.device_id) ?? '' }));
  }

  /** How long it may take, after how long its devices took before; null when nothing is known of that. */
  private async duration(
    { project_id, spec, command }: Intent,
    places: readonly Place[],
    sampled: EvenSample<Looked>,
    limits: Limits,
  ): Promise<Duration | null> {
    const ids = [...new Set(sampled.kept.map(({ device_id }) => device_id))];
    const took = new Map<string, DeviceTime>();
    for (const { table } of this.families.all)
      for (const { device_id, ...time } of await this.targets.tookOf(project_id, table, command, ids)) {
        const { least, most } = took.get(device_id) ?? time;
        took.set(device_id, { least: Math.min(least, time.least), most: Math.max(most, time.most) });
      }
    const known = sampled.kept.map((one) => ({ ...one, took: took.get(one.device_id) }));
    const durations = await this.rollouts.durationsOf(project_id, command);
    const outlooks = places.map((place) => outlookOf(spec, place, known, sampled.isWhole, durations));
    return outlooks.every((outlook) => outlook !== undefined) ? durationOf(spec, outlooks, limits) : null;
  }

  private async conflicts(project_id: string, look: Look): Promise<RolloutPlan['conflicts']> {
    const most = [...look.conflicts.values()].sort((a, b) => b.devices - a.devices).slice(0, SHOWN_CONFLICTS);
    const priorities = await this.rollouts.prioritiesOf(
      project_id,
      most.map(({ id }) => id),
    );
    return most.map((conflict) => ({ ...conflict, priority: priorities.get(conflict.id) ?? 0 }));
  }
}

type Place = Pick<WaveState, 'from' | 'to'>;

/** A device of the sample that the duration is estimated after. */
interface Looked {
  device_id: string;
  /** Its place in the order of planning. */
  place: number;
  online: boolean;
}

type Show = (all: readonly Sampled[]) => Shown[];

/** What was seen of the devices so far. */
class Look {
  count = 0;
  offline = 0;
  /** How many devices the waves with a query have. */
  beforeRest = 0;
  readonly placed = new Map<number, { from: number; to: number }>();
  readonly sample: Sampled[] = [];
  readonly zones = new Map<string, number>();
  /** Of each pass the zones of its devices, each with the place of the first. */
  readonly #firstPlaces = [new Map<string, number>()];
  readonly conflicts = new Map<string, { entity: string; id: string; devices: number }>();
  readonly skipped: Sampled[] = [];
  readonly sampled = new EvenSample<Looked>();

  constructor(private readonly spec: Rollout) {}

  add(targets: readonly NewTarget[], online: ReadonlySet<string>): void {
    for (const { target_id, device_id, timezone } of targets) {
      const shown = { target_id, device_id, timezone };
      this.sampled.add({ device_id, place: this.count, online: online.has(device_id) });
      const places = this.#firstPlaces.at(-1)!;
      if (!places.has(timezone)) places.set(timezone, this.count);
      this.count++;
      if (this.sample.length < SHOWN_TARGETS) this.sample.push(shown);
      this.zones.set(timezone, (this.zones.get(timezone) ?? 0) + 1);
      if (online.has(device_id)) continue;
      this.offline++;
      if (this.skipped.length < SHOWN_TARGETS) this.skipped.push(shown);
    }
  }

  meets(entity: string, id: string, devices: number): void {
    const known = this.conflicts.get(id);
    this.conflicts.set(id, { entity, id, devices: devices + (known?.devices ?? 0) });
  }

  endWave(wave: number): void {
    this.placed.set(wave, { from: this.beforeRest, to: this.count });
    this.beforeRest = this.count;
    this.#firstPlaces.push(new Map());
  }

  /** The zones of the devices of a wave before which no other of its pass has any: what is known is the first device of each zone in a pass. */
  zonesFrom({ from, to }: Place): string[] {
    const zones = this.#firstPlaces.flatMap((places) => [...places]);
    return zones.filter(([, place]) => place >= from && place < to).map(([zone]) => zone);
  }

  leftOut(shown: Show): RolloutPlan['targets']['left_out'] {
    if (this.spec.offline !== 'skip' || this.offline === 0) return [];
    return [{ reason: 'offline', count: this.offline, sample: shown(this.skipped) }];
  }
}

/** The devices of a pass: those of its wave's query, or the rest, without those of the waves before, which have their place already. */
function passQuery({ waves = [] }: Rollout, wave: number | null): DeviceQuery | undefined {
  const before = waves.slice(0, wave ?? waves.length).flatMap(({ query }) => (query ? [query] : []));
  const own = wave === null ? [] : [waves[wave]!.query!];
  const all: DeviceQuery[] = before.length > 0 ? [...own, { not: anyOf(before) }] : own;
  return all.length > 1 ? { and: all } : all[0];
}

/** The windows of the zones that come next from `now` on, each with its devices. */
function windowsOfZones(spec: Rollout, zones: ReadonlyMap<string, number>, now: number): RolloutPlan['windows'] {
  if (!spec.window) return [];
  const all = [...zones.values()].reduce((sum, count) => sum + count, 0);
  const read: [string, number][] = isOnDevices(spec) ? [...zones] : [[spec.window.timezone!, all]];
  return read.map(([timezone, devices]) => {
    const { open, next } = windowsAt(spec, [timezone], now);
    const closes = open?.get(timezone);
    const opens = closes === undefined ? next : now;
    const closing = closes ?? (opens === null ? undefined : windowsAt(spec, [timezone], opens).open?.get(timezone));
    const time = (at: number | null | undefined) => (at == null ? null : new Date(at).toISOString());
    return { timezone, devices, opens_at: time(opens), closes_at: time(closing) };
  });
}

/**
 * The zones of those that may begin at first: of the first wave that has devices, for the others wait until it has passed. Where there are none
 * yet, but some may join, all that they may be in.
 */
function firstZones({ membership }: Rollout, places: readonly Place[], look: Look): readonly string[] {
  const first = places.find((place) => sizeOf(place) > 0);
  if (first) return look.zonesFrom(first);
  return membership === 'continuous' ? ALL_CLOCKS : [];
}

/** When the first device of `zones` may begin that is to begin from `starts` on; null: it is over before any may. */
function beginningOf(
  spec: Rollout,
  zones: readonly string[],
  starts: number,
  { noneBegins, allEnd }: Required<Limits>,
): number | null {
  if (zones.length === 0) return null;
  const { open, next } = windowsOf({ spec, zones }, starts);
  const begins = open === null || open.size > 0 ? starts : next;
  return begins !== null && begins < Math.min(noneBegins, allEnd) ? begins : null;
}

/** The limits that are given in epoch milliseconds. */
const limitsFrom = (begins: number, { noneBegins, allEnd }: Required<Limits>): Limits => ({
  noneBegins: (noneBegins - begins) / 1000,
  allEnd: (allEnd - begins) / 1000,
});

const timeOf = (time: string | undefined): number => (time === undefined ? Infinity : Date.parse(time));

/** What is known of a wave by a sample of all devices, or by all of them; undefined when nothing is known of how long they take. */
function outlookOf(
  spec: Rollout,
  at: Place,
  sample: readonly (Looked & KnownDevice)[],
  isWhole: boolean,
  durations: Durations,
): WaveOutlook | undefined {
  const size = sizeOf(at);
  const own = sample.filter(({ place }) => place >= at.from && place < at.to);
  const alike = isWhole || own.length >= ENOUGH ? own : sample;
  const online = alike.filter((one) => one.online);
  const offline = size === 0 ? 0 : Math.round((size * (alike.length - online.length)) / alike.length);
  const times = timesOf(spec.offline === 'skip' ? online : alike, durations);
  return times && { size, offline, times };
}
