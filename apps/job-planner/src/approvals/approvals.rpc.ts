import { approvals, DomainError, type Approval, type RpcRequest, type RpcResponse } from '@muster/contracts';
import { Journal } from '@muster/journal';
import { Rpc } from '@muster/messaging';
import { Controller } from '@nestjs/common';
import { DataSource, MoreThan } from 'typeorm';
import { Families } from '../rollout/families.js';
import { RolloutStore } from '../rollout/rollout.store.js';
import { RolloutWake } from '../rollout/rollout.wake.js';
import { want } from '../rollout/rollout.wish.js';
import { ApprovalEntity } from './approval.entity.js';
import { approvalTable } from './approval.table.js';

type Contracts = typeof approvals;

const STATE_OF = { approve: 'approved', reject: 'rejected' } as const;

/** Questions about approvals, and what approvers say. */
@Controller()
export class ApprovalsRpc {
  constructor(
    private readonly dataSource: DataSource,
    private readonly journal: Journal,
    private readonly rollouts: RolloutStore,
    private readonly families: Families,
    private readonly wake: RolloutWake,
  ) {}

  @Rpc(approvals.getApproval)
  async getApproval({ project_id, id }: RpcRequest<Contracts['getApproval']>): Promise<Approval> {
    return toApproval(await this.find(project_id, id));
  }

  @Rpc(approvals.listApprovals)
  async listApprovals({
    project_id,
    state,
    after,
    limit,
  }: RpcRequest<Contracts['listApprovals']>): Promise<RpcResponse<Contracts['listApprovals']>> {
    const rows = await this.dataSource.getRepository(ApprovalEntity).find({
      where: { project_id, ...(state && { state }), ...(after && { id: MoreThan(after) }) },
      order: { id: 'ASC' },
      take: limit + 1,
    });
    const page = rows.slice(0, limit).map(toApproval);
    return { approvals: page, next: rows.length > limit ? page.at(-1)!.id : null };
  }

  @Rpc(approvals.decideApproval)
  async decideApproval(request: RpcRequest<Contracts['decideApproval']>): Promise<Approval> {
    const { project_id, id, decision, comment = '', by, own_allowed } = request;
    const asked = await this.find(project_id, id);
    if (asked.requested_by === by && !own_allowed)
      throw new DomainError('forbidden', 'the project wants another person to decide than the one who asked');
    const to = STATE_OF[decision];
    await this.journal.transaction(project_id, async (tx) => {
      const rollout = await this.rollouts.lock(tx, asked.subject_id);
      const moved = await tx.transition(approvalTable, to, { ids: [id], set: { reason: comment, decided_by: by } });
      if (moved.length === 0 || !rollout) return;
      if (decision === 'approve') {
        const waves = rollout.row.waves.map((wave, index) =>
          index === asked.wave - 1 ? { ...wave, approved_at: rollout.now } : wave,
        );
        rollout.set({ waves, ...(!rollout.row.at_rest && { due_at: new Date(rollout.now) }) });
      } else if (rollout.row.wish === 'run' || rollout.row.wish === 'pause') {
        const reason = `wave ${asked.wave} was not approved${comment && `: ${comment}`}`;
        want(rollout, 'cancel', reason);
        await this.families.of(rollout.row).stopping(tx, rollout);
      }
      await rollout.save(tx);
    });
    this.wake.wake({ project_id, id: asked.subject_id });
    const now = await this.find(project_id, id);
    if (now.state !== to) throw new DomainError('conflict', `the approval is ${now.state} already`);
    return toApproval(now);
  }

  private async find(project_id: string, id: string): Promise<ApprovalEntity> {
    const row = await this.dataSource.getRepository(ApprovalEntity).findOneBy({ project_id, id });
    if (!row) throw new DomainError('not_found', `approval ${id} does not exist`);
    return row;
  }
}

const toApproval = (row: ApprovalEntity): Approval => ({
  id: row.id,
  project_id: row.project_id,
  state: row.state,
  subject: { entity: row.subject_entity, id: row.subject_id, name: row.subject_name, wave: row.wave },
  requested_by: row.requested_by,
  requested_at: row.created_at.toISOString(),
  decided_by: row.decided_by,
  decided_at: row.state === 'pending' ? null : row.state_at.toISOString(),
  comment: row.reason,
});
