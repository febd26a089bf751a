import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import type { NatsConnection } from 'nats';
import { readFile } from 'node:fs/promises';
import { expect } from 'vitest';
import { readEvents } from './events.js';

/** An execution that a simulated device noted. `at`: ISO 8601. */
export interface Execution {
  device_id: string;
  command_id: string;
  fence: number;
  at: string;
}

/** Ends a fleet and gives what its devices noted in `file`, the `--executions` that it was started with. */
export async function executionsOf(fleet: ChildProcess, file: string): Promise<Execution[]> {
  const exit = once(fleet, 'exit');
  fleet.kill('SIGTERM');
  await exit;
  const lines = (await readFile(file, 'utf8')).split('\n').filter((line) => line !== '');
  return lines.map((line) => JSON.parse(line) as Execution);
}

/** Executions of what their device had executed already: the same command under the same fence. */
export function repetitions(executions: readonly Execution[]): Execution[] {
  const seen = new Set<string>();
  return executions.filter(({ device_id, command_id, fence }) => {
    const name = `${device_id} ${command_id} ${fence}`;
    return seen.has(name) || !seen.add(name);
  });
}

/** The executions of each job, by its id. */
export async function byJob(bus: NatsConnection, executions: readonly Execution[]): Promise<Map<unknown, Execution[]>> {
  const jobs = new Map<string, unknown>();
  const unknown = async () => {
    for (const { data } of await readEvents(bus, 'muster.evt.demo.command.INITIATED.>'))
      jobs.set(data.id, data['request_id']);
    return executions.filter(({ command_id }) => !jobs.has(command_id)).length;
  };
  await expect.poll(unknown, { timeout: 60_000, interval: 200 }).toBe(0);
  return Map.groupBy(executions, ({ command_id }) => jobs.get(command_id));
}
