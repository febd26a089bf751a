import { DomainError, waitings, type Rollout, type WaitingEntry } from '@muster/contracts';
import { expect, vi } from 'vitest';
import { PROJECT, type RunningPlanner } from './running-planner.js';

/** Jobs whose rollout a test looks at. */
export class RolloutsOfTest {
  constructor(private readonly planner: RunningPlanner) {}

  async start(count: number, rollout: Rollout): Promise<{ nodes: string[]; id: string }> {
    const nodes = this.planner.nodes(count);
    return { nodes, id: await this.planner.create(nodes, { rollout }) };
  }

  /** The counts of the job are what a recount finds. */
  async exact(id: string): Promise<void> {
    expect((await this.planner.job(id)).progress).toMatchObject(await this.planner.recount(id));
    await this.planner.exactWaves(id);
  }

  /** Planning does not come to the page with this device, until what it gives is called for a rollout. */
  keepFrom(node: string): (id: string) => Promise<void> {
    const { planner } = this;
    const page = planner.page.bind(planner);
    let looked = 0;
    const kept = vi.spyOn(planner, 'page').mockImplementation((request) => {
      // A job is not made before all of its devices were looked up.
      if (request.query?.ids?.includes(node) && looked++ > 0) throw new DomainError('unavailable', 'nobody answers');
      return page(request);
    });
    return (id) => {
      kept.mockRestore();
      return this.due(id);
    };
  }

  /** Lets the time come that the rollout waits for. */
  async due(id: string): Promise<void> {
    await this.planner.service.query(`UPDATE rollout SET due_at = now() WHERE id = $1`, [id]);
  }

  /** Lets devices be looked for that match by now. */
  async rescanned(id: string): Promise<void> {
    await this.planner.service.query(`UPDATE rollout SET rescan_at = now(), due_at = now() WHERE id = $1`, [id]);
  }

  /** Lets the rollout's `end_at` pass. */
  async over(id: string): Promise<void> {
    await this.planner.service.query(
      `UPDATE rollout SET spec = jsonb_set(spec, '{end_at}', to_jsonb(now())), due_at = now() WHERE id = $1`,
      [id],
    );
  }

  /** Lets the soak of the first wave be over. */
  async soaked(id: string): Promise<void> {
    await this.planner.service.query(
      `UPDATE rollout SET waves = jsonb_set(waves, '{0,passed_at}', to_jsonb(0)), due_at = now() WHERE id = $1`,
      [id],
    );
  }

  /** What waits of the job and its tasks. */
  async waiting(id: string): Promise<WaitingEntry[]> {
    const { entries } = await this.planner.service.call(waitings['job-planner'], { project_id: PROJECT, limit: 1000 });
    const own = new Set((await this.planner.job(id)).tasks.map((task) => task.task_id));
    return entries.filter((entry) => entry.id === id || own.has(entry.id));
  }
}
