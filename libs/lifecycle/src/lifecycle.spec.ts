import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { canMove, defineLifecycle, isEnd, openStates, sourcesOf, statesOf, toMermaid } from './lifecycle.js';

const door = defineLifecycle({
  entity: 'door',
  initial: 'Open',
  states: {
    Open: { to: ['Closed'] },
    Closed: { to: ['Open', 'Locked'] },
    Locked: { to: [], ends: true },
  },
});

describe('a lifecycle', () => {
  it('given a table, then the sources of a state are exactly the states that may move to it', () => {
    fc.assert(
      fc.property(fc.constantFrom(...statesOf(door)), fc.constantFrom(...statesOf(door)), (from, to) => {
        expect(sourcesOf(door, to).includes(from)).toBe(canMove(door, from, to));
      }),
    );
  });

  it('given a random walk along the table, then it stops only in a state that ends', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(), { minLength: 60, maxLength: 60 }), (choices) => {
        let state = door.initial;
        for (const choice of choices) {
          const next = door.states[state].to;
          if (next.length === 0) break;
          state = next[choice % next.length]!;
        }
        expect(isEnd(door, state) || openStates(door).includes(state)).toBe(true);
      }),
    );
  });

  it('given a state that nothing leads to, then the table is refused', () => {
    expect(() =>
      defineLifecycle<'A' | 'B'>({
        entity: 'x',
        initial: 'A',
        states: { A: { to: [], ends: true }, B: { to: ['A'] } },
      }),
    ).toThrow('nothing leads to B');
  });

  it('given a state that never ends, then the table is refused', () => {
    expect(() =>
      defineLifecycle({
        entity: 'x',
        initial: 'A',
        states: { A: { to: ['B', 'C'] }, B: { to: ['B'] }, C: { to: [], ends: true } },
      }),
    ).toThrow('B never comes to an end');
  });

  it('given a table, then its diagram has every move', () => {
    expect(toMermaid(door)).toBe(
      [
        'stateDiagram-v2',
        '    [*] --> Open',
        '    Open --> Closed',
        '    Closed --> Open',
        '    Closed --> Locked',
        '    Locked --> [*]',
      ].join('\n'),
    );
  });
});
