import { COMMAND_STATES, DomainError, type CommandState, type CommandStats } from '@muster/contracts';
import { batch, type Tx } from '@muster/journal';
import { Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { movesOf } from '../commands/command.moves.js';

type Changes = Map<CommandState | 'total', number>;

const COLUMNS = ['total', ...COMMAND_STATES] as const;
const column = (name: string) => `"${name}"`;

/** Keeps the counts of users' requests: moved by what a transaction really moved, never counted again. */
@Injectable()
export class RequestCounts {
  constructor(private readonly dataSource: DataSource) {}

  /** Moves the counts of these requests by what the transaction did; its last statement on what others may wait for. */
  async follow(tx: Tx, requests: ReadonlySet<string>): Promise<void> {
    const changes = new Map<string, Changes>();
    for (const { request_id, from, to } of movesOf(tx, requests)) {
      const ofRequest: Changes = changes.get(request_id) ?? new Map<CommandState | 'total', number>();
      changes.set(request_id, ofRequest);
      add(ofRequest, from ?? 'total', from ? -1 : 1);
      add(ofRequest, to, 1);
    }
    const ids = [...changes.keys()].sort();
    const arrays = COLUMNS.map((_, index) => `$${index + 3}::integer[]`);
    const assignments = COLUMNS.map((name) => `${column(name)} = t.${column(name)} + i.${column(name)}`);
    await tx.query(
      `UPDATE request_count t SET ${assignments.join(', ')}, updated_at = now()
       FROM ${batch(['$2::uuid[]', ...arrays], ['id', ...COLUMNS.map(column)])}
       WHERE t.project_id = i.project_id AND t.id = i.id`,
      [tx.project, ids, ...COLUMNS.map((name) => ids.map((id) => changes.get(id)!.get(name) ?? 0))],
    );
  }

  /** @throws DomainError `not_found` */
  async stats(project: string, id: string): Promise<CommandStats> {
    const [row] = await this.dataSource.query<CommandStats[]>(
      `SELECT ${COLUMNS.map(column).join(', ')} FROM request_count WHERE project_id = $1 AND id = $2`,
      [project, id],
    );
    if (!row) throw new DomainError('not_found', `command request ${id} does not exist`);
    return row;
  }
}

function add(changes: Changes, name: CommandState | 'total', by: number): void {
  changes.set(name, (changes.get(name) ?? 0) + by);
}
