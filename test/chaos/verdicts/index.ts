import type { Promised } from '../verdict.ts';
import { outcomes } from './1-outcomes.ts';
import { executions } from './2-executions.ts';
import { events } from './3-events.ts';
import { counters } from './4-counters.ts';
import { deadlines } from './5-deadlines.ts';
import { rebuilt } from './6-rebuild.ts';
import { replicas } from './7-replicas.ts';

/** What the product promises to keep, whatever breaks. */
export const promises: readonly Promised[] = [outcomes, executions, events, counters, deadlines, rebuilt, replicas];
