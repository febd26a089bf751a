import { MAX_REPORTED_VALUE } from './device-state.js';
import type { Rollout, RolloutWindow, StopRule, Wave } from './rollout.js';
import type { FieldError } from './schema.js';
import { isTimeZone } from './time-zone.js';

/** What the thing that is rolled out allows. */
export interface RolloutTerms {
  /** Why nothing can be brought back; absent where it can. */
  noWayBack?: string;
  /** Why it cannot be paused; absent where it can. */
  noPause?: string;
  /** Why devices cannot join later; absent where they can. */
  noMembership?: string;
  /** Where the rollout stands in its document, for the fields that are named; with a dot at its end. */
  at: string;
}

/** The longest rollout, as JSON: each list of jobs reads it. */
const MAX_ROLLOUT = 65_536;
/** How far percents may be from 100 and still be all: what adding decimal fractions costs. */
const ROUNDING = 1e-6;

/**
 * What is wrong with a rollout beyond its schema, each with its field; empty when nothing is.
 * @param now epoch milliseconds
 */
export function rolloutFaults(rollout: Rollout, now: number, terms: RolloutTerms): FieldError[] {
  const { abort = [], window, start_at, end_at, membership, evidence } = rollout;
  const faults: FieldError[] = [];
  const blame = (field: string, message: string) => faults.push({ field: `${terms.at}${field}`, message });

  if (JSON.stringify(rollout).length > MAX_ROLLOUT)
    blame(
      'waves',
      `the rollout has more than ${MAX_ROLLOUT} characters: name the devices of a wave by a tag or a group`,
    );
  for (const [field, message] of waveFaults(rollout.waves)) blame(field, message);
  for (const [index, rule] of abort.entries())
    for (const [field, message] of ruleFaults(rule, terms)) blame(`abort.${index}.${field}`, message);
  if (window) for (const [field, message] of windowFaults(window)) blame(`window.${field}`, message);
  const ends = end_at === undefined ? undefined : Date.parse(end_at);
  if (ends !== undefined && ends <= now) blame('end_at', 'is in the past');
  else if (ends !== undefined && start_at !== undefined && ends <= Date.parse(start_at))
    blame('end_at', 'must be after start_at');
  if (membership === 'continuous') {
    if (terms.noMembership !== undefined) blame('membership', terms.noMembership);
    else if (ends === undefined) blame('end_at', 'is required for membership continuous: it would never end');
  }
  if (evidence && evidence.path.split('.').includes('')) blame('evidence.path', 'has an empty part');
  if (evidence && Buffer.byteLength(JSON.stringify(evidence.equals)) > MAX_REPORTED_VALUE)
    blame('evidence.equals', `must be at most ${MAX_REPORTED_VALUE} bytes`);
  return faults;
}

type Fault = [field: string, message: string];

function waveFaults(waves: readonly Wave[] = []): Fault[] {
  const faults: Fault[] = [];
  let percents = 0;
  for (const [index, { percent, count, query }] of waves.entries()) {
    const isLast = index === waves.length - 1;
    const sizes = [percent, count, query].filter((size) => size !== undefined).length;
    percents += percent ?? 0;
    if (isLast && (count !== undefined || query))
      faults.push([`waves.${index}`, 'is the last wave, which takes the rest: it has no count and no query']);
    else if (!isLast && sizes !== 1)
      faults.push([`waves.${index}`, 'give one of percent, count and query; only the last wave takes the rest']);
  }
  const last = waves.at(-1);
  if (last?.percent !== undefined && Math.abs(percents - 100) > ROUNDING)
    faults.push([
      `waves.${waves.length - 1}.percent`,
      'the last wave takes the rest: leave it out, or make all percents 100',
    ]);
  else if (last?.percent === undefined && percents >= 100 - ROUNDING && waves.length > 0)
    faults.push(['waves', 'the percents leave nothing for the last wave']);
  return faults;
}

function ruleFaults({ percent, count, action }: StopRule, { noWayBack, noPause }: RolloutTerms): Fault[] {
  const faults: Fault[] = [];
  if ((percent === undefined) === (count === undefined)) faults.push(['percent', 'give either percent or count']);
  if (action === 'rollback' && noWayBack !== undefined) faults.push(['action', noWayBack]);
  if (action === 'pause' && noPause !== undefined) faults.push(['action', noPause]);
  return faults;
}

function windowFaults({ start, end, timezone = 'device' }: RolloutWindow): Fault[] {
  const faults: Fault[] = [];
  if (start === end) faults.push(['end', 'is when the window starts, so it would never be open']);
  if (timezone !== 'device' && !isTimeZone(timezone)) faults.push(['timezone', 'is not an IANA time zone']);
  return faults;
}
