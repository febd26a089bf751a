import type { DeviceTime } from './device.times.js';

/** The share of its devices that is no slower than what usually happens. */
const USUAL = 0.9;
/** What a sum over all devices may be off one over a sample of them, in standard deviations. */
const DEVIATIONS = 2;
/** How sure it is that one of all devices is as slow as is told. */
const SURE = 0.9;

/** How long the devices of a wave may take together, in seconds, after the times of some of them, or of devices like them. */
export class WaveTimes {
  private readonly least: readonly number[];
  private readonly most: readonly number[];

  /** @param times at least one */
  constructor(
    times: readonly DeviceTime[],
    private readonly size: number,
  ) {
    this.least = times.map(({ least }) => least).sort((a, b) => a - b);
    this.most = times.map(({ most }) => most).sort((a, b) => a - b);
  }

  /** What so many of the devices take at least, one after the other. */
  inTurn(count: number): number {
    const perTime = this.size / this.least.length;
    const fastest = this.least.slice(0, Math.ceil(count / perTime - 1e-9));
    return Math.max(0, sumOf(fastest) * perTime - this.slack(this.least));
  }

  /** What so many of the devices take at least, all at once. */
  atOnce(count: number): number {
    const sure = this.isWhole ? 1 : (1 - SURE) ** (1 / this.size);
    return atShare(this.least, (count / this.size) * sure);
  }

  /** What all of the devices take at most, one after the other. */
  get allInTurn(): number {
    return (sumOf(this.most) * this.size) / this.most.length + this.slack(this.most);
  }

  /** What the slowest of the devices takes at most. */
  get slowest(): number {
    return atShare(this.most, 1 - (1 - SURE) / this.size);
  }

  /** What few devices exceed. */
  get usual(): number {
    return atShare(this.most, USUAL);
  }

  /** What the fastest of the devices takes at least. */
  get fastest(): number {
    return this.least[0]!;
  }

  private get isWhole(): boolean {
    return this.least.length === this.size;
  }

  /** What a sum over all devices may be off: both which times they drew, and which ones are known, are chance. */
  private slack(times: readonly number[]): number {
    if (this.isWhole) return 0;
    const mean = sumOf(times) / times.length;
    const variance = sumOf(times.map((time) => (time - mean) ** 2)) / times.length;
    return DEVIATIONS * Math.sqrt(variance * (this.size + this.size ** 2 / times.length));
  }
}

const sumOf = (numbers: readonly number[]): number => numbers.reduce((sum, one) => sum + one, 0);

/** The number that so large a share (0 to 1) of the numbers, which ascend, does not exceed. */
const atShare = (ascending: readonly number[], share: number): number =>
  ascending[Math.max(0, Math.ceil(share * ascending.length - 1e-9) - 1)]!;
