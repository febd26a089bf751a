import { REFUSAL_CODES, type PART_ENDS, type CommandOutcome, type JobTaskStatus } from '@muster/contracts';

/** How many devices of a rollout are where; together they are all of them. */
export interface Tally {
  /** Not begun, be it for the first time or again. */
  pending: number;
  /** Their command waits for them to be reachable, and they take nobody's place. */
  offline: number;
  /** Their command is under way; `stopping` of them are being cancelled. */
  in_flight: number;
  stopping: number;
  succeeded: number;
  failed: number;
  /** `never_contacted` of them were never sent anything. */
  timed_out: number;
  never_contacted: number;
  rejected: number;
  /** Said that they succeeded, and did not show it in time. */
  unknown: number;
  cancelled: number;
}

/** What a rollout came to. */
export interface Result extends Tally {
  /** Its `end_at` came before all of its first devices had their place. */
  cut: boolean;
}

/** Why those never began that had not by the end of the rollout. */
export const RAN_OUT = 'end_at has passed';

/** How a device may end. */
export type DeviceEnd = (typeof PART_ENDS)[number];

export const EMPTY_TALLY: Readonly<Tally> = {
  pending: 0,
  offline: 0,
  in_flight: 0,
  stopping: 0,
  succeeded: 0,
  failed: 0,
  timed_out: 0,
  never_contacted: 0,
  rejected: 0,
  unknown: 0,
  cancelled: 0,
};

/** What there is of a tally's numbers beside those that are part of others. */
export const COUNTS = Object.keys(EMPTY_TALLY) as (keyof Tally)[];

/** Devices that ended in their own way: everything but a cancel. */
export const finished = (tally: Tally): number =>
  tally.succeeded + tally.failed + tally.timed_out + tally.rejected + tally.unknown;

/** Devices that have ended. */
export const ended = (tally: Tally): number => finished(tally) + tally.cancelled;

/** Why what has ended did not succeed as a whole, in words; empty where it did. */
export function shortfall(result: Result): string {
  const others = ended(result) - result.succeeded;
  const reasons = others === 0 ? [] : [`${others} of ${ended(result)} devices did not succeed`];
  if (result.cut) reasons.push(`${RAN_OUT} before all devices were planned`);
  return reasons.join('; ');
}

/** Devices that have not. */
export const open = (tally: Tally): number => tally.pending + tally.offline + tally.in_flight;

export const targeted = (tally: Tally): number => open(tally) + ended(tally);

/** Devices that a command is under way to, or has reached. */
export const contacted = (tally: Tally): number => tally.in_flight + finished(tally) - tally.never_contacted;

/** The change of a tally by devices that end so. */
export const endsAs = (end: DeviceEnd, devices: number): Partial<Tally> =>
  end === 'never_contacted' ? { timed_out: devices, never_contacted: devices } : { [end]: devices };

/** Adds changes up. */
export function addTo(sum: Partial<Tally>, change: Partial<Tally>): void {
  for (const [name, by] of Object.entries(change) as [keyof Tally, number][]) sum[name] = (sum[name] ?? 0) + by;
}

/** What `tally` has beyond an earlier one. */
export const since = (tally: Tally, earlier: Tally): Tally =>
  Object.fromEntries(COUNTS.map((name) => [name, tally[name] - earlier[name]])) as unknown as Tally;

/** The state in which a device's task ends. */
export const STATE_OF: Readonly<Record<DeviceEnd, JobTaskStatus>> = {
  succeeded: 'Successful',
  failed: 'Failed',
  rejected: 'Failed',
  timed_out: 'Timed_out',
  never_contacted: 'Timed_out',
  unknown: 'Timed_out',
  cancelled: 'Stopped',
};

/** What the outcome of a device's command makes of the device. */
export function endOf({
  status,
  code,
  sent,
  shown,
}: {
  status: CommandOutcome;
  code: string;
  sent: boolean;
  shown?: boolean;
}): DeviceEnd {
  switch (status) {
    case 'SUCCESS':
      return 'succeeded';
    case 'FAILURE':
      if (shown === false) return 'unknown';
      return REFUSAL_CODES.includes(code) ? 'rejected' : 'failed';
    case 'TIMEOUT':
      return sent ? 'timed_out' : 'never_contacted';
    case 'CANCELLED':
      return 'cancelled';
  }
}
