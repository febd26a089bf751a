/**
 * A typed table of the states an entity may be in and the moves between them: pure, no I/O.
 *
 * `ends`: nothing more happens by itself from here (a user may still reopen it where the table says so).
 * `to`: the states that may follow.
 */
export interface StateRule<State extends string> {
  to: readonly State[];
  ends?: true;
}

export interface Lifecycle<State extends string = string> {
  entity: string;
  /** The state a new entity is created in. */
  initial: State;
  states: Readonly<Record<State, StateRule<State>>>;
}

/**
 * Declares a lifecycle.
 * @throws Error when a state cannot be reached, or when one that does not end can never come to an end.
 */
export function defineLifecycle<State extends string>(lifecycle: Lifecycle<State>): Lifecycle<State> {
  const all = statesOf(lifecycle);
  const reached = reachableFrom(lifecycle, [lifecycle.initial]);
  for (const state of all) {
    if (!reached.has(state)) throw new Error(`${lifecycle.entity}: nothing leads to ${state}`);
    if (!isEnd(lifecycle, state) && ![...reachableFrom(lifecycle, [state])].some((other) => isEnd(lifecycle, other))) {
      const endless = all.every((other) => !isEnd(lifecycle, other));
      if (!endless) throw new Error(`${lifecycle.entity}: ${state} never comes to an end`);
    }
  }
  return lifecycle;
}

export const statesOf = <State extends string>(lifecycle: Lifecycle<State>) => Object.keys(lifecycle.states) as State[];

export const isEnd = <State extends string>(lifecycle: Lifecycle<State>, state: State) =>
  lifecycle.states[state].ends === true;

export const canMove = <State extends string>(lifecycle: Lifecycle<State>, from: State, to: State) =>
  lifecycle.states[from].to.includes(to);

/** The states from which `to` may be entered: the guard of every transition. */
export const sourcesOf = <State extends string>(lifecycle: Lifecycle<State>, to: State): State[] =>
  statesOf(lifecycle).filter((from) => canMove(lifecycle, from, to));

/** The states in which something is still to happen. */
export const openStates = <State extends string>(lifecycle: Lifecycle<State>): State[] =>
  statesOf(lifecycle).filter((state) => !isEnd(lifecycle, state));

function reachableFrom<State extends string>(lifecycle: Lifecycle<State>, from: State[]): Set<State> {
  const seen = new Set<State>(from);
  const queue = [...from];
  for (let state = queue.pop(); state !== undefined; state = queue.pop()) {
    for (const next of lifecycle.states[state].to) {
      if (!seen.has(next)) {
        seen.add(next);
        queue.push(next);
      }
    }
  }
  return seen;
}

/** The table as a Mermaid state diagram. */
export function toMermaid<State extends string>(lifecycle: Lifecycle<State>): string {
  const lines = ['stateDiagram-v2', `    [*] --> ${lifecycle.initial}`];
  for (const from of statesOf(lifecycle)) {
    for (const to of lifecycle.states[from].to) lines.push(`    ${from} --> ${to}`);
    if (isEnd(lifecycle, from)) lines.push(`    ${from} --> [*]`);
  }
  return lines.join('\n');
}
