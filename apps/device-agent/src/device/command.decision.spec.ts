import { describe, expect, it } from 'vitest';
import { decideCommand, type CommandDecision, type KnownCommand } from './command.decision.js';

describe('given a command message', () => {
  it.each<[string, KnownCommand | undefined, number, CommandDecision]>([
    ['a command never seen', undefined, 3, 'run'],
    ['the same attempt, still running', { fence: 3, state: 'running' }, 3, 'join'],
    ['a new attempt while the old one runs', { fence: 3, state: 'running' }, 4, 'join'],
    ['the same attempt, failed', { fence: 3, state: 'failed' }, 3, 'answer'],
    ['a new attempt after a failure', { fence: 3, state: 'failed' }, 4, 'run'],
    ['the same attempt, interrupted', { fence: 3, state: 'interrupted' }, 3, 'interrupted'],
    ['a new attempt after an interruption', { fence: 3, state: 'interrupted' }, 4, 'run'],
    ['the same attempt, succeeded', { fence: 3, state: 'succeeded' }, 3, 'answer'],
    ['a new attempt after a success', { fence: 3, state: 'succeeded' }, 4, 'answer'],
    ['an attempt older than the one that runs', { fence: 3, state: 'running' }, 2, 'stale'],
    ['an attempt older than the one that failed', { fence: 3, state: 'failed' }, 2, 'stale'],
    ['an attempt older than the one that succeeded', { fence: 3, state: 'succeeded' }, 2, 'stale'],
  ])('when it is %s', (_name, known, fence, decision) => {
    expect(decideCommand(known, fence)).toBe(decision);
  });
});
