import { BATCH_SIZE, MAX_IN_FLIGHT, type Rollout, type RolloutWait } from '@muster/contracts';
import { windowsAt } from '../rollout.windows.js';
import { nextStep, type RolloutFacts, type RolloutStep, type Wish } from '../rollout.decide.js';
import { EMPTY_TALLY, type DeviceEnd, type Tally, endsAs, addTo } from '../tally.js';
import { newWave, overruled, placesOf, waveAt } from '../wave.gate.js';

/** What a device of the simulation does when its command comes. */
export interface Conduct {
  end: DeviceEnd;
  seconds: number;
  zone: string;
  /** So long it is not there at first, in seconds. */
  away: number;
}

interface Device extends Conduct {
  place: number;
  is: 'pending' | 'offline' | 'in_flight' | 'ended';
  endsAt: number;
  backAt: number;
  begun: number[];
}

/** Longer than any simulated rollout takes. */
const MOST_STEPS = 20_000;

/** The loop around the pure core, over devices and a clock that are not real: what the service does, without anything that can be lost. */
export class SimulatedRollout {
  readonly devices: Device[];
  readonly steps: RolloutStep['do'][] = [];
  readonly tally: Tally = { ...EMPTY_TALLY };
  facts: RolloutFacts;
  ended = false;
  /** What it waited for last. */
  waitsFor: RolloutWait | undefined;
  fired: number | undefined;
  paused: string | undefined;
  /** When the first stop rule fired. */
  firedAt: number | undefined;

  constructor(
    readonly spec: Rollout,
    conducts: readonly Conduct[],
    public now: number,
    private readonly onApproval: (rollout: SimulatedRollout) => boolean = () => true,
  ) {
    this.devices = conducts.map((conduct, place) => ({
      ...conduct,
      place,
      is: 'pending',
      endsAt: Infinity,
      backAt: now + conduct.away * 1000,
      begun: [],
    }));
    this.facts = {
      ...EMPTY_TALLY,
      spec,
      at_once: BATCH_SIZE,
      wish: 'run',
      at_rest: false,
      planned: false,
      reopening: false,
      baseline: null,
      waves: [],
      wave: 0,
      paid_until: null,
      windows: windowsAt({}, [], now),
      rescan_at: null,
      exhausted: false,
      now,
    };
  }

  set wish(wish: Wish) {
    this.facts = { ...this.facts, wish };
  }

  /** Lets it go on after it came to rest. */
  restore(): void {
    const { waves, wave: present } = this.facts;
    const { waves: wanted = [], catch_up = true } = this.spec;
    this.facts = {
      ...this.facts,
      wish: 'run',
      at_rest: false,
      baseline: { ...this.tally },
      waves: waves.map((state, index) =>
        index === present ? overruled(wanted[index]!, state, catch_up, this.now) : state,
      ),
    };
  }

  /** Takes steps and lets time pass until it ends, rests, or waits for a person. */
  run(until = Infinity): void {
    this.facts = { ...this.facts, exhausted: false };
    for (let steps = 0; steps < MOST_STEPS; steps++) {
      const zones = new Set(this.devices.map(({ zone }) => zone));
      const windows = windowsAt(this.spec, zones, this.now);
      this.facts = { ...this.facts, ...this.tally, windows, now: this.now };
      const step = nextStep(this.facts);
      this.steps.push(step.do);
      if (step.do === 'wait') {
        if (this.facts.at_rest && step.until === null) return;
        this.waitsFor = step.for;
        const next = Math.min(
          step.until ?? Infinity,
          step.look ?? Infinity,
          ...this.devices.map((device) => this.#nextOf(device)),
        );
        if (next === Infinity || next > until) return;
        this.#passTo(next);
      } else if (!this.#take(step)) return;
    }
    throw new Error(`no end after ${MOST_STEPS} steps: ${this.steps.slice(-10).join(', ')}`);
  }

  /** @returns whether it goes on. */
  #take(step: Exclude<RolloutStep, { do: 'wait' }>): boolean {
    switch (step.do) {
      case 'plan': {
        this.tally.pending = this.devices.length;
        const { waves = [] } = this.spec;
        const places = placesOf(waves, new Map(), 0, this.devices.length);
        this.facts = { ...this.facts, planned: true, waves: places.map(newWave) };
        return true;
      }
      case 'release':
        return this.#release(step.count, step.paidUntil);
      case 'ask_approval':
        this.facts.waves[this.facts.wave]!.asked_at = this.now;
        if (this.onApproval(this)) this.facts.waves[this.facts.wave]!.approved_at = this.now;
        return true;
      case 'begin_wave':
        this.facts.waves[this.facts.wave]!.began_at = this.now;
        return true;
      case 'pass_wave':
        this.facts.waves[this.facts.wave]!.passed_at = this.now;
        return true;
      case 'next_wave':
        this.facts = { ...this.facts, wave: this.facts.wave + 1 };
        return true;
      case 'stop': {
        this.fired = step.rule;
        this.firedAt ??= this.now;
        const { action } = this.spec.abort![step.rule]!;
        this.facts = { ...this.facts, wish: action };
        return true;
      }
      case 'pause':
        this.paused = step.reason;
        this.facts = { ...this.facts, wish: 'pause' };
        return true;
      case 'expire':
        this.facts = { ...this.facts, planned: true };
        for (const device of this.devices) if (isWaiting(device)) this.#end(device, 'never_contacted');
        return true;
      case 'stop_pending':
        for (const device of this.devices) if (isWaiting(device)) this.#end(device, 'cancelled');
        return true;
      case 'stop_in_flight':
        this.tally.stopping = this.tally.in_flight;
        return true;
      case 'rest':
        this.facts = { ...this.facts, at_rest: true };
        // What is paused has its end to come to.
        return this.facts.wish === 'pause';
      case 'run_out':
        this.facts = { ...this.facts, wish: 'run', at_rest: false };
        return true;
      case 'end':
        this.ended = true;
        this.facts = { ...this.facts, at_rest: true };
        return false;
      case 'rescan':
      case 'reopen':
        throw new Error(`${step.do} is not simulated`);
    }
  }

  #release(count: number, paidUntil: ((taken: number) => number) | undefined): boolean {
    const { open } = this.facts.windows;
    const { waves } = this.facts;
    const mayBegin = (device: Device) =>
      device.is === 'pending' &&
      (!open || open.has(device.zone)) &&
      (waves.length === 0 ||
        waves.some(({ from, to, began_at }) => began_at !== null && device.place >= from && device.place < to));
    const taken = this.devices.filter(mayBegin).slice(0, count);
    for (const device of taken) {
      this.tally.pending--;
      if (device.backAt > this.now) {
        device.is = 'offline';
        this.tally.offline++;
        this.#note(device, 'offline', 1);
      } else {
        device.is = 'in_flight';
        device.begun.push(this.now);
        device.endsAt = this.now + device.seconds * 1000;
        this.tally.in_flight++;
      }
    }
    const paid = paidUntil ? { paid_until: paidUntil(taken.length) } : {};
    this.facts = { ...this.facts, ...paid, exhausted: taken.length === 0 };
    const most = this.spec.max_in_flight ?? MAX_IN_FLIGHT;
    if (this.tally.in_flight > most) throw new Error(`${this.tally.in_flight} in flight, ${most} allowed`);
    return true;
  }

  #passTo(time: number): void {
    this.now = Math.max(this.now, time);
    this.facts = { ...this.facts, exhausted: false };
    for (const device of this.devices) {
      if (device.is === 'in_flight' && device.endsAt <= this.now) this.#end(device, device.end);
      else if (device.is === 'offline' && device.backAt <= this.now) {
        device.is = 'pending';
        this.tally.offline--;
        this.tally.pending++;
        this.#note(device, 'offline', -1);
      }
    }
  }

  #end(device: Device, end: DeviceEnd): void {
    const from = device.is as 'pending' | 'offline' | 'in_flight';
    if (from === 'offline') this.#note(device, 'offline', -1);
    const as = from === 'in_flight' && this.tally.stopping > 0 ? 'cancelled' : end;
    addTo(this.tally, { [from]: -1, ...(as === 'cancelled' && from === 'in_flight' && { stopping: -1 }) });
    addTo(this.tally, endsAs(as, 1));
    device.is = 'ended';
    this.#note(device, as === 'succeeded' ? 'succeeded' : as === 'cancelled' ? 'left_out' : 'lost', 1);
  }

  #note(device: Device, what: 'succeeded' | 'lost' | 'left_out' | 'offline', by: number): void {
    const wave = waveAt(this.facts.waves, device.place);
    if (wave) wave[what] += by;
  }

  #nextOf({ is, endsAt, backAt }: Device): number {
    if (is === 'in_flight') return endsAt;
    return is === 'offline' ? backAt : Infinity;
  }
}

const isWaiting = ({ is }: Device) => is === 'pending' || is === 'offline';
