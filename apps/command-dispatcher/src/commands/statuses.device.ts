import type { CommandOutcome, StatusMessage } from '@muster/contracts';
import type { Tx } from '@muster/journal';
import { DeviceMessages, type ChannelMessage } from '@muster/messaging';
import { Drops } from '@muster/service';
import { Controller } from '@nestjs/common';
import { CommandJournal } from './command.journal.js';
import { LaneStore } from '../lanes/lane.store.js';
import { CommandDeployed, type Succeeded } from './command.deployed.js';
import { CommandEnd, ENDED_COLUMNS, toEnded, type Ended, type Resting } from './command.end.js';
import { CommandRetry } from './command.retry.js';
import { CommandStore, LOOK_AGAIN_AT, type Standing } from './command.store.js';
import { commandTable } from './command.table.js';
import { judgeStatuses, plainEnds } from './status.judge.js';
import { readStatus } from './status.read.js';

/** What devices say of their commands (interfaces §8, channel `status`). */
@Controller()
export class StatusesDevice {
  constructor(
    private readonly journal: CommandJournal,
    private readonly store: CommandStore,
    private readonly lanes: LaneStore,
    private readonly end: CommandEnd,
    private readonly retry: CommandRetry,
    private readonly deployed: CommandDeployed,
    private readonly drops: Drops,
  ) {}

  @DeviceMessages('status')
  async onStatus(messages: ChannelMessage<'status'>[]): Promise<void> {
    for (const [project, statuses] of Map.groupBy(messages.map(readStatus), (message) => message.project_id)) {
      await this.journal.transaction(project, (tx) => this.apply(tx, statuses));
    }
  }

  private async apply(tx: Tx, statuses: readonly ChannelMessage<'status'>[]): Promise<void> {
    const plain = plainEnds(statuses);
    const devices = new Set(statuses.map((status) => status.device_id));
    const released = await this.lanes.release(
      tx,
      [...devices].map((device_id) => {
        const end = plain.get(device_id)?.payload;
        return { device_id, command_id: end?.command_id ?? null, fence: end?.fence ?? null };
      }),
    );
    const [direct, others] = split(statuses, (status) => released.has(status.payload.command_id));
    const [failures, successes] = split(
      direct.map((status) => status.payload),
      (status) => status.status === 'failure',
    );
    const { ended, resting } = await this.fail(tx, failures);
    await this.end.goOn(tx, [...ended, ...(await this.succeed(tx, successes))], resting);
    if (others.length > 0) await this.judge(tx, others);
  }

  /** Statuses that say something of a command besides its end, or not of the one that its lane knows. */
  private async judge(tx: Tx, statuses: readonly ChannelMessage<'status'>[]): Promise<void> {
    const standing = await this.store.standing(tx, [...new Set(statuses.map((status) => status.payload.command_id))]);
    const judged = judgeStatuses(statuses, standing);
    await tx.transition(commandTable, 'ACKNOWLEDGED', {
      ids: judged.acknowledged.map((status) => status.command_id),
      compute: { due_at: LOOK_AGAIN_AT },
    });
    await this.progress(tx, judged.inprogress, standing);
    const [cancelled, failed, succeeded] = partition(judged.ended, standing);
    const { ended, resting } = await this.fail(tx, failed);
    const others = [...(await this.finish(tx, 'CANCELLED', cancelled)), ...(await this.succeed(tx, succeeded))];
    await this.end.settle(tx, [...ended, ...others], resting);
    if (judged.late.length > 0) await this.store.saveLateAnswers(tx, judged.late.map(lateAnswer));
    tx.afterCommit(() => {
      for (const { status, reason } of judged.dropped) {
        this.drops.count('status', reason, { device_id: status.device_id, command_id: status.payload.command_id });
      }
    });
  }

  private async progress(
    tx: Tx,
    statuses: readonly StatusMessage[],
    standing: ReadonlyMap<string, Standing>,
  ): Promise<void> {
    const already = statuses.filter((status) => standing.get(status.command_id)?.state === 'INPROGRESS');
    const first = statuses.filter((status) => !already.includes(status));
    await tx.transition(commandTable, 'INPROGRESS', {
      ids: first.map((status) => status.command_id),
      each: {
        progress: first.map((status) => status.progress ?? null),
        reason: first.map((status) => status.reason ?? ''),
      },
      compute: { due_at: LOOK_AGAIN_AT },
    });
    if (already.length > 0) {
      await this.store.saveProgress(
        tx,
        already.map((status) => ({ id: status.command_id, progress: status.progress ?? null })),
      );
    }
  }

  /** Commands whose request has no rules for trying again end at once; what is left then has such rules. */
  private async fail(tx: Tx, statuses: readonly StatusMessage[]): Promise<{ ended: Ended[]; resting: Resting[] }> {
    const ended = await this.finish(tx, 'FAILURE', statuses, { guard: 'NOT t.retries' });
    if (ended.length === statuses.length) return { ended, resting: [] };
    const done = new Set(ended.map(({ id }) => id));
    const tried = await this.retry.end(
      tx,
      statuses
        .filter((status) => !done.has(status.command_id))
        .map(({ command_id, reason = '', code = '', evidence }) => ({
          id: command_id,
          state: 'FAILURE',
          reason,
          code,
          evidence: evidence ?? null,
        })),
    );
    return { ended: [...ended, ...tried.ended], resting: tried.resting };
  }

  private async succeed(tx: Tx, statuses: readonly StatusMessage[]): Promise<Ended[]> {
    const ended = await this.finish(tx, 'SUCCESS', statuses, { returning: [...ENDED_COLUMNS, 'args'] });
    await this.deployed.tell(tx, ended as Succeeded[], statuses);
    return ended;
  }

  private async finish(
    tx: Tx,
    state: CommandOutcome,
    statuses: readonly StatusMessage[],
    {
      guard,
      returning = ENDED_COLUMNS,
    }: { guard?: string; returning?: readonly (keyof typeof commandTable.columns)[] } = {},
  ): Promise<Ended[]> {
    const moved = await tx.transition(commandTable, state, {
      ids: statuses.map((status) => status.command_id),
      each: {
        reason: statuses.map((status) => status.reason ?? ''),
        code: statuses.map((status) => status.code ?? ''),
        evidence: statuses.map((status) => status.evidence ?? null),
      },
      set: { due_at: null },
      ...(guard !== undefined && { guard }),
      returning,
    });
    return toEnded(state, moved);
  }
}

const lateAnswer = ({ command_id, status, reason = '', code = '', evidence }: StatusMessage) => ({
  id: command_id,
  answer: {
    status: status === 'success' ? ('success' as const) : ('failure' as const),
    reason,
    code,
    evidence: evidence ?? null,
  },
});

function split<T>(all: readonly T[], belongs: (one: T) => boolean): [T[], T[]] {
  const inside: T[] = [];
  const outside: T[] = [];
  for (const one of all) (belongs(one) ? inside : outside).push(one);
  return [inside, outside];
}

/** A failure with code `cancelled` is a cancel only if we asked for one. */
function partition(
  ended: readonly StatusMessage[],
  standing: ReadonlyMap<string, Standing>,
): [StatusMessage[], StatusMessage[], StatusMessage[]] {
  const cancelled: StatusMessage[] = [];
  const failed: StatusMessage[] = [];
  const succeeded: StatusMessage[] = [];
  for (const status of ended) {
    if (status.status === 'success') succeeded.push(status);
    else if (status.code === 'cancelled' && standing.get(status.command_id)?.cancel_requested) cancelled.push(status);
    else failed.push(status);
  }
  return [cancelled, failed, succeeded];
}
