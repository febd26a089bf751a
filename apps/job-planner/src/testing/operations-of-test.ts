import {
  operationRollouts,
  operationRolloutWork,
  type DeviceQuery,
  type PartEnd,
  type Progress,
  type Rollout,
  type RpcResponse,
} from '@muster/contracts';
import { v7 as uuid } from 'uuid';
import { expect, vi } from 'vitest';
import { operationTargets } from '../operations/operation-part.table.js';
import { PROJECT, USER, type RunningPlanner } from './running-planner.js';

interface Part {
  id: string;
  device_id: string;
}

/** Operations of device-state, which the test is, as the planner rolls them out. */
export class OperationsOfTest {
  private readonly parts = new Map<string, Part[]>();
  /** How many parts each of the pages had that the planner asked for. */
  readonly pages: number[] = [];
  private readonly heard;
  private readonly overs;

  constructor(private readonly planner: RunningPlanner) {
    const { service } = planner;
    this.heard = service.hear(operationRolloutWork.end);
    this.overs = service.hear(operationRolloutWork.over);
    service.answer(operationRollouts.listOperationParts, ({ project_id, id, query, after, limit }) => {
      const begun = new Set(planner.asked(id).map(({ ref }) => ref));
      const page = this.page(query ?? { ids: this.partsOf(id).map((part) => part.device_id) }, limit, after);
      const among = new Map(page.devices.map((device) => [device.id, device.timezone]));
      const parts = this.partsOf(id)
        .filter((part) => project_id === PROJECT && among.has(part.device_id) && !begun.has(part.id))
        .map((part) => ({ ...part, timezone: among.get(part.device_id)! }))
        .sort((a, b) => (a.device_id < b.device_id ? -1 : 1));
      this.pages.push(parts.length);
      return { parts, next: page.next };
    });
  }

  private page(query: DeviceQuery, limit: number, after?: string) {
    return this.planner.page({ project_id: PROJECT, query, limit, ...(after && { after }) });
  }

  partsOf(id: string): Part[] {
    return this.parts.get(id) ?? [];
  }

  /** An operation over devices that is yet to be rolled out. */
  over(nodes: readonly string[], id = uuid()): string {
    this.parts.set(
      id,
      nodes.map((device_id) => ({ id: uuid(), device_id })),
    );
    return id;
  }

  async start(count: number, rollout: Rollout): Promise<{ nodes: string[]; id: string }> {
    const nodes = this.planner.nodes(count);
    const id = this.over(nodes);
    await this.handOver(id, rollout);
    return { nodes, id };
  }

  async handOver(id: string, rollout: Rollout): Promise<void> {
    await this.planner.service.call(operationRollouts.startOperationRollout, {
      project_id: PROJECT,
      id,
      operation: 'REBOOT',
      requested_by: USER,
      rollout,
    });
  }

  async halt(id: string, reason = 'no longer wanted'): Promise<void> {
    await this.planner.service.call(operationRollouts.stopOperationRollout, { project_id: PROJECT, id, reason });
  }

  partEnds(
    id: string,
    refs = this.partsOf(id).map((part) => part.id),
  ): Promise<RpcResponse<typeof operationRollouts.operationPartEnds>> {
    return this.planner.service.call(operationRollouts.operationPartEnds, { project_id: PROJECT, id, refs });
  }

  async progress(id: string): Promise<Progress | null> {
    return (await this.planner.service.call(operationRollouts.operationProgress, { project_id: PROJECT, id })).progress;
  }

  /** Once its progress has these numbers. */
  async progressed(id: string, progress: Partial<Progress>): Promise<void> {
    await expect.poll(() => this.progress(id), { timeout: 15_000 }).toMatchObject(progress);
  }

  /** The ends that device-state was told, in order. */
  ends(id: string): PartEnd[] {
    return this.heard.filter((batch) => batch.head.operation_id === id).flatMap((batch) => batch.items);
  }

  /** The reasons with which it was told that the rollout is over. */
  oversOf(id: string): string[] {
    return this.overs
      .flatMap((batch) => batch.items.filter((item) => item.operation_id === id))
      .map(({ reason }) => reason);
  }

  /**
   * Once the rollout is over: the reason that was told. Every part that it had has one end, which is what is answered on being asked, and its
   * counts are what a recount finds.
   */
  async ended(id: string): Promise<string> {
    await vi.waitUntil(() => this.oversOf(id).length > 0);
    const counted = await this.exact(id);
    const told = this.ends(id);
    expect(told).toHaveLength(counted['targeted']!);
    expect(new Set(told.map(({ ref }) => ref)).size).toBe(told.length);
    const [reason, ...more] = this.oversOf(id);
    expect(more).toEqual([]);
    const asked: PartEnd[] = [];
    const refs = this.partsOf(id).map((part) => part.id);
    for (let at = 0; at < refs.length; at += 500) {
      const answer = await this.partEnds(id, refs.slice(at, at + 500));
      expect(answer).toMatchObject({ over: true, reason });
      asked.push(...answer.ends);
    }
    const inOrder = (ends: PartEnd[]) => ends.toSorted((a, b) => (a.ref < b.ref ? -1 : 1));
    expect(inOrder(asked)).toEqual(inOrder(told));
    return reason!;
  }

  /** The counts of the rollout are what a recount finds. */
  async exact(id: string): Promise<Record<string, number>> {
    const counted = await this.planner.recount(id, operationTargets);
    expect(await this.progress(id)).toMatchObject(counted);
    await this.planner.exactWaves(id, operationTargets);
    return counted;
  }
}
