import {
  CONVERGE,
  ConvergeArguments,
  DOCUMENT_FAULTS,
  documentFault,
  type FieldError,
  LAST_TIME,
  type NewOperation,
  type operations,
  renamed,
  type DeviceQuery,
  type Rollout,
  rolloutFaults,
  type RpcRequest,
  type WindowSchedule,
  validate,
} from '@muster/contracts';
import { Journal, type Tx } from '@muster/journal';
import { firstOpening, scheduleFaults } from '@muster/schedule';
import { Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { refuse, refuseField } from '../devices/device.rules.js';
import { DeviceSearch } from '../devices/device.search.js';
import { DeviceStore } from '../devices/device.store.js';
import { GroupStore } from '../groups/group.store.js';
import { groupsNamedBy } from '../groups/group.tree.js';
import { IN_PROGRESS_SECONDS, LAST_WORDS_SECONDS } from './operation.ask.js';
import { OperationEntity } from './operation.entity.js';
import { OperationRunner } from './operation.runner.js';
import { operationTable } from './operation.table.js';

/** How long the devices of an operation without a window have to come and take its command. */
const REACHABLE_SECONDS = 604_800;
/** How long an operation with a rollout may take that says no end: what its waves, windows and offline devices take is not known. */
const MOST_ROLLOUT_SECONDS = 31_536_000;
const LOOK_UP = 1_000;
/** Most ids that an error lists. */
const LISTED = 20;

/** What a new operation is made of. */
export type SoundOperation = Pick<
  OperationEntity,
  | 'id'
  | 'operation'
  | 'schedule_type'
  | 'schedule_args'
  | 'console_timezone'
  | 'query'
  | 'rollout'
  | 'arguments'
  | 'purpose'
  | 'source_id'
  | 'created_by'
>;

/** Takes a new operation in. */
@Injectable()
export class OperationCreate {
  constructor(
    private readonly dataSource: DataSource,
    private readonly journal: Journal,
    private readonly devices: DeviceStore,
    private readonly search: DeviceSearch,
    private readonly groups: GroupStore,
    private readonly runner: OperationRunner,
  ) {}

  /** @throws DomainError `invalid` naming the field; nothing is created then. Asked again with the same id it gives the one that exists. */
  async create(request: RpcRequest<typeof operations.createOperation>): Promise<OperationEntity> {
    const { project_id, id, created_by, timezone } = request;
    const operation = request.operation as NewOperation;
    const key = { project_id, id };
    const repository = this.dataSource.getRepository(OperationEntity);
    // Asked again: the fleet and the time may have changed since, but the operation is there.
    const existing = await repository.findOneBy(key);
    if (existing) return existing;
    const now = Date.now();
    await this.check(project_id, operation, timezone, now);
    const {
      schedule_type = 'IMMEDIATE',
      schedule_args = {},
      operation_device_query: query,
      rollout = null,
    } = operation;
    await this.journal.transaction(project_id, (tx) =>
      this.add(
        tx,
        {
          id,
          operation: operation.operation,
          schedule_type: schedule_type === 'WINDOW' ? 'WINDOW' : 'IMMEDIATE',
          schedule_args,
          console_timezone: timezone,
          query,
          rollout,
          arguments: operation.arguments ?? {},
          purpose: operation.reason ?? '',
          source_id: null,
          created_by,
        },
        now,
      ),
    );
    return repository.findOneByOrFail(key);
  }

  /** @throws DomainError `invalid` naming the field. `timezone`: its maker's; `now`: epoch ms. */
  async check(project: string, operation: NewOperation, timezone: string, now: number): Promise<void> {
    const { schedule_type = 'IMMEDIATE', schedule_args, operation_device_query: query, rollout = {} } = operation;
    if (schedule_type === 'RECURRING') refuseField('schedule_type', 'RECURRING is for commands only');
    refuse([
      ...argumentFaults(operation),
      ...scheduleFaults(schedule_type, schedule_args, timezone, now),
      ...rolloutFaultsOf(operation, now),
    ]);
    await this.checkQuery(project, query);
    for (const [index, wave] of (rollout.waves ?? []).entries())
      if (wave.query) await this.mayMatch(project, wave.query, `rollout.waves.${index}.query`);
  }

  /** Adds an operation that is known to be sound; it begins once the transaction has committed. `now`: epoch ms. */
  async add(tx: Tx, operation: SoundOperation, now: number): Promise<void> {
    const { id, schedule_type, schedule_args, console_timezone, rollout } = operation;
    const schedule: WindowSchedule | null =
      schedule_type === 'WINDOW' ? { schedule: schedule_type, args: schedule_args, console_timezone } : null;
    const opensAt = schedule && firstOpening(schedule, now);
    const opens = opensAt === null ? null : new Date(opensAt).toISOString();
    const deadline = deadlineOf(schedule, rollout, now).toISOString();
    const queries = [operation.query, ...(rollout?.waves ?? []).flatMap((wave) => wave.query ?? [])];
    const refers = [...new Set(queries.flatMap(groupsNamedBy))];
    if (refers.length > 0) await this.holdGroups(tx, refers);
    await tx.create(
      operationTable,
      {
        id: [id],
        operation: [operation.operation],
        schedule_type: [schedule_type],
        schedule_args: [schedule_args],
        console_timezone: [console_timezone],
        query: [operation.query],
        refers: [refers],
        rollout: [rollout],
        rollout_state: [rollout ? 'new' : 'none'],
        arguments: [operation.arguments],
        purpose: [operation.purpose],
        source_id: [operation.source_id],
        created_by: [operation.created_by],
        updated_by: [operation.created_by],
        opens_at: [opens],
        deadline: [deadline],
        due_at: [opens ?? deadline],
      },
      { compute: { wake_at: 'now()' } },
    );
    tx.afterCommit(() => this.runner.wake({ project_id: tx.project, id }));
  }

  /** None of them is deleted from here on: whoever would do so waits, and sees the operation then. */
  private async holdGroups(tx: Tx, ids: readonly string[]): Promise<void> {
    const known = await this.groups.hold(tx, ids);
    const gone = ids.find((id) => !known.has(id));
    if (gone !== undefined) refuseField('operation_device_query.group', `no group ${gone}`);
  }

  /** @throws DomainError `invalid` naming the field where the query means nothing; it need not match any device. */
  private async mayMatch(project: string, query: DeviceQuery, field: string): Promise<void> {
    try {
      await this.search.resolve({ project_id: project, query, limit: 1 });
    } catch (error) {
      throw renamed(error, 'query', field);
    }
  }

  private async checkQuery(project: string, query: NewOperation['operation_device_query']): Promise<void> {
    await this.mayMatch(project, query, 'operation_device_query');
    const ids = [...new Set(query.ids?.map((id) => id.toLowerCase()))];
    const unknown: string[] = [];
    for (let at = 0; at < ids.length; at += LOOK_UP) {
      const named = ids.slice(at, at + LOOK_UP);
      const known = new Set((await this.devices.presence(project, named)).map((device) => device.id));
      unknown.push(...named.filter((id) => !known.has(id)));
    }
    if (unknown.length === 0) return;
    const more = unknown.length > LISTED ? ` and ${unknown.length - LISTED} more` : '';
    refuse([
      { field: 'operation_device_query.ids', message: `no such device: ${unknown.slice(0, LISTED).join(', ')}${more}` },
    ]);
  }
}

function rolloutFaultsOf({ operation, schedule_type, rollout }: NewOperation, now: number): FieldError[] {
  if (!rollout) return [];
  const faults = rolloutFaults(rollout, now, {
    at: 'rollout.',
    noWayBack: 'an operation has no way back: cancel',
    noPause: 'an operation cannot be paused: cancel',
    noMembership: 'an operation has the devices that it resolved, so that none can join',
  });
  if (operation === CONVERGE && rollout.evidence)
    faults.push({ field: 'rollout.evidence', message: 'a CONVERGE is proven by the report of what it changed' });
  if (schedule_type !== 'WINDOW') return faults;
  const message = 'an operation with a rollout has its window there: give rollout.window, start_at and end_at';
  return [{ field: 'schedule_type', message }, ...faults];
}

function argumentFaults({ operation, arguments: given = {} }: NewOperation): FieldError[] {
  const fault = documentFault(given);
  if (fault) return [{ field: 'arguments', message: DOCUMENT_FAULTS[fault] }];
  if (operation !== CONVERGE) return [];
  return validate(ConvergeArguments, given).map(({ field, message }) => ({ field: `arguments.${field}`, message }));
}

/** A command may be sent until the end of the schedule or the rollout, and is then given its time. */
function deadlineOf(schedule: WindowSchedule | null, rollout: Rollout | null, now: number): Date {
  const end = rollout ? rollout.end_at : schedule?.args.end_datetime;
  const reachable = rollout ? MOST_ROLLOUT_SECONDS : REACHABLE_SECONDS;
  const begins = rollout?.start_at === undefined ? now : Math.max(now, Date.parse(rollout.start_at));
  const lastSend = end === undefined ? begins + reachable * 1000 : Date.parse(end);
  const worked = rollout?.timeout?.in_progress_seconds ?? IN_PROGRESS_SECONDS;
  return new Date(Math.min(lastSend + (worked + LAST_WORDS_SECONDS) * 1000, LAST_TIME));
}
