import { waitings, type WaitingEntry } from '@muster/contracts';
import { expect } from 'vitest';
import { PROJECT, type RunningPlanner } from './running-planner.js';

/** All that waits, read in pages of `limit`. */
export async function waitingIn(
  planner: RunningPlanner,
  limit: number,
  entity?: WaitingEntry['entity'],
): Promise<WaitingEntry[]> {
  const read: WaitingEntry[] = [];
  for (let page = { entries: read, more: true }; page.more; read.push(...page.entries)) {
    const last = read.at(-1);
    page = await planner.service.call(waitings['job-planner'], {
      project_id: PROJECT,
      limit,
      ...(entity && { entity }),
      ...(last && { after: { due_at: last.due_at, id: last.id } }),
    });
    expect(page.entries.length).toBeLessThanOrEqual(limit);
  }
  return read;
}

/** What they are and wait for, in words. */
export const told = (entries: readonly WaitingEntry[]) =>
  entries.map(({ entity, state, waits_for }) => [entity, state, waits_for].join(' '));

const HOUR_MS = 3_600_000;

/** In how many hours it is due. */
export const hoursFromNow = ({ due_at }: WaitingEntry) => Math.round((Date.parse(due_at!) - Date.now()) / HOUR_MS);
