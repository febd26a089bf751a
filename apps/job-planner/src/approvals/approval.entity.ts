import type { ApprovalState } from '@muster/contracts';
import { StateRow } from '@muster/journal';
import { Column, Entity, Index } from 'typeorm';

/** Somebody's word that a wave waits for; its comment is the `reason` of its state. */
@Entity({ name: 'approval' })
@Index('approval_of_wave', ['project_id', 'subject_id', 'wave'], { unique: true })
@Index('approval_pending', ['project_id', 'id'], { where: `state = 'pending'` })
export class ApprovalEntity extends StateRow<ApprovalState> {
  @Column('text')
  subject_entity!: string;

  /** Also the id of its rollout. */
  @Column('uuid')
  subject_id!: string;

  @Column('text')
  subject_name!: string;

  /** From 1. */
  @Column('integer')
  wave!: number;

  @Column('uuid')
  requested_by!: string;

  @Column('uuid', { nullable: true })
  decided_by!: string | null;
}
