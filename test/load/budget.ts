import type { JobRun } from './job.run.ts';
import { columns, number } from './table.ts';

/** What one device of a job costs. */
export interface Budget {
  devices: number;
  cpu_microseconds: Record<string, number>;
  commits: number;
  stored_messages: Record<string, number>;
}

const perDevice = (values: Record<string, number>, devices: number, factor = 1) =>
  Object.fromEntries(Object.entries(values).map(([name, value]) => [name, (value * factor) / devices]));

/** Divides what a run took by its devices. */
export function budgetOf({ devices, cpu_seconds, commits, stored_messages }: JobRun): Budget {
  return {
    devices,
    cpu_microseconds: perDevice(cpu_seconds, devices, 1e6),
    commits: commits / devices,
    stored_messages: perDevice(stored_messages, devices),
  };
}

/** The budgets beside each other: a line for each process, then commits and messages. */
export function budgetTable(budgets: readonly Budget[]): string {
  const line = (label: string, valueOf: (budget: Budget) => number | undefined) => [
    label,
    ...budgets.map((budget) => {
      const value = valueOf(budget);
      return value === undefined ? '' : number(value);
    }),
  ];
  const names = (of: (budget: Budget) => object) => [...new Set(budgets.flatMap((budget) => Object.keys(of(budget))))];
  return columns([
    ['per device', ...budgets.map(({ devices }) => `of ${devices}`)],
    ...names((budget) => budget.cpu_microseconds).map((name) =>
      line(`${name}, µs CPU`, (budget) => budget.cpu_microseconds[name]),
    ),
    line('all, µs CPU', ({ cpu_microseconds }) =>
      Object.values(cpu_microseconds).reduce((sum, value) => sum + value, 0),
    ),
    line('Postgres commits', ({ commits }) => commits),
    ...names((budget) => budget.stored_messages).map((name) =>
      line(`${name}, messages`, (budget) => budget.stored_messages[name]),
    ),
  ]).join('\n');
}
