import type { CommandState } from '@muster/contracts';
import { valueAt, type Tx } from '@muster/journal';
import { commandTable } from './command.table.js';

/** A command that a transaction created (`from` is null) or moved. */
export interface CommandMove {
  id: string;
  request_id: string;
  from: CommandState | null;
  to: CommandState;
}

/** The requests whose commands the transaction has moved so far. */
export function movedRequests(tx: Tx): Set<string> {
  const ids = new Set<string>();
  for (const { entity, data, ids: commands } of tx.moves) {
    if (entity !== commandTable.lifecycle.entity) continue;
    const column = data['request_id']!;
    // Nearly always one request a batch, which then stands there once.
    if ('all' in column) ids.add(column.all as string);
    else for (const index of commands.keys()) ids.add(column[index] as string);
  }
  return ids;
}

/** What the transaction has done so far to the commands of these requests, in order. */
export function* movesOf(tx: Tx, requests: ReadonlySet<string>): Generator<CommandMove> {
  for (const { entity, ids, from, to, data } of tx.moves) {
    if (entity !== commandTable.lifecycle.entity) continue;
    const request = data['request_id']!;
    for (const [index, id] of ids.entries()) {
      const request_id = valueAt(request, index) as string;
      if (requests.has(request_id))
        yield { id, request_id, from: valueAt(from, index) as CommandState | null, to: to as CommandState };
    }
  }
}
